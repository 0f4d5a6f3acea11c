"""The lake: a folder, or a bucket in which a probe is written, read, listed and deleted."""

from pathlib import Path

from mlops_assets.doctor.folder import crowded, free_space, unwritable
from mlops_assets.doctor.problem import Finding, Part, Problem
from mlops_assets.settings import Settings

SETTING = "MLOPS_LAKE_URI"


def examine(settings: Settings, thorough: bool) -> list[Finding]:  # noqa: ARG001  # the probe is the cheapest question there is
    """That objects can be stored under the lake's address."""
    return [bucket(Part.LAKE, settings.lake_uri, SETTING)]


def bucket(part: str, uri: str, setting: str) -> Finding:
    """That objects can be stored under the address, whatever store it names."""
    scheme, separator, rest = uri.partition("://")
    if scheme == "s3" and separator:
        from mlops_assets.doctor import s3

        return s3.finding(part, uri, setting)
    if scheme == "gs" and separator:
        from mlops_assets.doctor import gcs

        return gcs.finding(part, uri, setting)
    if separator and scheme != "file":
        return Finding(part, uri, "", (Problem(part, f"{setting} names a store that is none", "write a folder, s3:// or gs://"),))
    folder = Path(rest or uri)
    problems = unwritable(part, folder, setting) or crowded(part, folder, setting)
    return Finding(part, str(folder), "" if problems else free_space(folder), tuple(problems))
