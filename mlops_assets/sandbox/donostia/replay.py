"""Real exports as an archive of the feed would serve them: the snapshots of CSV files, each with the time at which it was captured.

Nothing is repaired: what a file holds is what clients get.
"""

import csv
import gzip
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

from mlops_assets.sandbox.donostia.parkings import Snapshot

TITLES = ("properties.nombre", "properties.libres", "timestamp")
EXPECTED = f"donostia_parkings*.csv or donostia_parkings*.csv.gz with the titles {', '.join(TITLES)} (UTC)"
SUFFIXES = (".csv", ".csv.gz")


def snapshot_files(folder: Path) -> list[Path]:
    """The files of a folder that can be replayed, by name."""
    return sorted(path for path in folder.glob("donostia_parkings*") if path.name.endswith(SUFFIXES))


class ReplayedSnapshots:
    """The snapshots of a folder's files, in memory; rows with the same timestamp are one.

    FileNotFoundError when there is no such file, ValueError when one lacks a title, has a time that cannot be read, or all are empty.
    """

    def __init__(self, folder: Path) -> None:
        files = snapshot_files(folder)
        if not files:
            raise FileNotFoundError(f"{folder} holds no car parks to replay: expected {EXPECTED}")
        free: dict[str, dict[str, str]] = {}
        for path in files:
            for name, count, timestamp in _read(path):
                free.setdefault(timestamp, {})[name] = count
        if not free:
            raise ValueError(f"{folder} holds no snapshot to replay; its files are empty")
        self._snapshots = sorted((Snapshot(_captured_at(text), counts) for text, counts in free.items()), key=attrgetter("captured_at"))

    def at(self, moment: datetime) -> Snapshot | None:
        """The newest snapshot at or before a time; None before the first."""
        position = bisect_right(self._snapshots, moment, key=attrgetter("captured_at"))
        return self._snapshots[position - 1] if position else None


def _captured_at(text: str) -> datetime:
    """Whole seconds, all that an HTTP date can tell."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"the snapshot of {text!r} cannot be replayed: that is no time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def _read(path: Path) -> Iterator[tuple[str, str, str]]:
    with (
        gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8-sig", newline="") as file
    ):
        rows = csv.DictReader(file)
        titles = rows.fieldnames or []
        if not set(TITLES) <= set(titles):
            raise ValueError(f"{path} cannot be replayed: its titles are {', '.join(titles)}; expected {', '.join(TITLES)}")
        yield from ((row[TITLES[0]], row[TITLES[1]], row[TITLES[2]]) for row in rows)
