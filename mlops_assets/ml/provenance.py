"""Where a model comes from, and how that is written as the tags of a registered version. Values only; the registry stores them."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

METRIC = "metric."
UPSTREAM = "data_version."

LIBRARIES = ("numpy", "onnxruntime", "pandas", "pyarrow", "pyproj", "scikit-learn", "scipy", "skops", "xgboost", "xgboost-cpu")
"""Distributions that prediction may need; of the two builds of xgboost one is installed."""


def library_versions() -> dict[str, str]:
    """Distribution -> version, of the installed ones among `LIBRARIES`."""
    versions = {}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            versions[library] = version(library)
    return versions


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a model version comes from; stored as tags of the version."""

    dagster_run_id: str
    partition: str
    code_version: str
    git_commit: str
    fingerprint: str
    """Hash of everything that decides the model: equal fingerprint, equal model."""
    split: str = ""
    """The split under which it was trained, as `Split.to_json` has it."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    upstream: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Asset (`domain/stage`) -> partition -> data version."""
    library_versions: Mapping[str, str] = field(default_factory=library_versions)
    candidate: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    """The candidate's parameters; values as JSON has them."""
    threshold: float = 0.0
    features: tuple[str, ...] = ()
    """The encoded columns that the classifier reads, in its order."""
    serving_engine: str = ""
    """`onnx`, or `native: ` and why the fitted model itself answers."""

    def to_tags(self) -> dict[str, str]:
        """One tag for each simple field, each metric (`metric.<name>`) and each upstream partition (`data_version.<asset>.<partition>`)."""
        return {
            "dagster_run_id": self.dagster_run_id,
            "partition": self.partition,
            "code_version": self.code_version,
            "git_commit": self.git_commit,
            "fingerprint": self.fingerprint,
            "split": self.split,
            "candidate": self.candidate,
            "params": json.dumps(dict(self.params), sort_keys=True),
            "threshold": repr(self.threshold),
            "features": json.dumps(self.features),
            "serving_engine": self.serving_engine,
            "library_versions": json.dumps(dict(self.library_versions), sort_keys=True),
            **{f"{METRIC}{name}": repr(float(value)) for name, value in self.metrics.items()},
            **{upstream_tag(asset, key): found for asset, keys in self.upstream.items() for key, found in keys.items()},
        }

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> "Provenance":
        """The inverse of `to_tags`; a tag that is not there reads as empty."""
        upstream: dict[str, dict[str, str]] = {}
        for tag, value in tags.items():
            if tag.startswith(UPSTREAM):
                asset, _, partition = tag.removeprefix(UPSTREAM).rpartition(".")
                upstream.setdefault(asset, {})[partition] = value
        return cls(
            dagster_run_id=tags.get("dagster_run_id", ""),
            partition=tags.get("partition", ""),
            code_version=tags.get("code_version", ""),
            git_commit=tags.get("git_commit", ""),
            fingerprint=tags.get("fingerprint", ""),
            split=tags.get("split", ""),
            candidate=tags.get("candidate", ""),
            params=json.loads(tags.get("params", "{}")),
            threshold=float(tags.get("threshold", "0")),
            features=tuple(json.loads(tags.get("features", "[]"))),
            serving_engine=tags.get("serving_engine", ""),
            metrics={tag.removeprefix(METRIC): float(value) for tag, value in tags.items() if tag.startswith(METRIC)},
            upstream=upstream,
            library_versions=json.loads(tags.get("library_versions", "{}")),
        )


def upstream_tag(asset: str, partition: str) -> str:
    """The tag that holds the data version of one partition of an asset. ValueError if the tag could not be read back or searched."""
    if "." in partition or {"`", "'"} & set(asset + partition):
        raise ValueError(f"cannot be part of a tag: asset {asset!r}, partition {partition!r}")
    return f"{UPSTREAM}{asset}.{partition}"
