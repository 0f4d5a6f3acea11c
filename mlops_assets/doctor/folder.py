"""Folders and files of this machine: whether they can be written, and whether the disk has room."""

import os
import shutil
import tempfile
from pathlib import Path

from mlops_assets.doctor.problem import Problem

LEAST_FREE_BYTES = 500_000_000
"""A month of crimes, its training and Dagster's record of it take about a tenth."""


def unwritable(part: str, folder: Path, setting: str) -> list[Problem]:
    """The problem of a folder in which nothing can be written, or made if it does not exist yet; leaves no trace."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    try:
        with tempfile.TemporaryFile(dir=nearest) as probe:
            probe.write(b"probe")
    except OSError as error:
        remedy = f"give this user the right to write there, free space, or set {setting} to another place"
        return [Problem(part, f"nothing can be written in {folder}: {error.strerror or error}", remedy)]
    return []


def crowded(part: str, folder: Path, setting: str) -> list[Problem]:
    """The problem of a disk that is nearly full."""
    nearest = next(place for place in (folder, *folder.parents) if place.is_dir())
    free = shutil.disk_usage(nearest).free
    if free >= LEAST_FREE_BYTES:
        return []
    what = f"the disk of {folder} has {free / 1e6:,.0f} MB left; less than {LEAST_FREE_BYTES / 1e6:,.0f} MB do not last for a run"
    return [Problem(part, what, f"free space there, or set {setting} to a folder on a larger disk")]


def free_space(folder: Path) -> str:
    """For the table of what is fine."""
    nearest = next(place for place in (folder, *folder.parents) if place.is_dir())
    return f"{shutil.disk_usage(nearest).free / 1e9:,.0f} GB free"
