"""Real samples as the batch API would serve them: the rows of CSV files, split over ten batches.

Nothing is repaired: what a file holds is what clients get.
"""

import csv
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlops_assets.sandbox.forest_cover.samples import BATCHES, COLUMNS, row_json

EXPECTED = "covertype*.csv or covertype*.csv.gz with the titles Elevation, Aspect, Slope, ... Cover_Type"
SUFFIXES = (".csv", ".csv.gz")


def sample_files(folder: Path) -> list[Path]:
    """The files of a folder that can be replayed, by name."""
    return sorted(path for path in folder.glob("covertype*") if path.name.endswith(SUFFIXES))


class ReplayedSamples:
    """The rows of a folder's files in their order, in memory; each batch is the next tenth of them.

    FileNotFoundError when there is no such file, ValueError when one has other columns or all have fewer than ten rows.
    """

    def __init__(self, folder: Path) -> None:
        files = sample_files(folder)
        if not files:
            raise FileNotFoundError(f"{folder} holds no samples to replay: expected {EXPECTED}")
        self._rows = [row_json(row) for path in files for row in _read(path)]
        if len(self._rows) < BATCHES:
            raise ValueError(f"{folder} holds {len(self._rows)} samples to replay; {BATCHES} batches need as many at least")

    def batch(self, number: int) -> Sequence[str]:
        """The rows of batch `number`, each as JSON."""
        start, end = (position * len(self._rows) // BATCHES for position in (number - 1, number))
        return self._rows[start:end]


def _read(path: Path) -> Iterator[list[str]]:
    with (
        gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8-sig", newline="") as file
    ):
        rows = csv.reader(file)
        titles = next(rows, [])
        if tuple(titles) != COLUMNS:
            raise ValueError(f"{path} cannot be replayed: its titles are {', '.join(titles)}; expected {', '.join(COLUMNS)}")
        yield from (row for row in rows if row)
