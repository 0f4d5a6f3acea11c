"""Files made here, replayed as the batch API would serve them."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from mlops_assets.sandbox.forest_cover import ForestCoverSandbox
from mlops_assets.sandbox.forest_cover.samples import COLUMNS

Call = Callable[..., requests.Response]


def _row(number: int) -> str:
    return f"{2000 + number},42,24,240,-37,2005,216,179,87,1924,Commanche,C7757,1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty-four rows in two files."""
    with gzip.open(tmp_path / "covertype_a.csv.gz", "wt") as file:
        file.write("\n".join([",".join(COLUMNS), *map(_row, range(30)), ""]))
    (tmp_path / "covertype_b.csv").write_text("\r\n".join([",".join(COLUMNS), *map(_row, range(30, 34))]))
    return tmp_path


def test_every_row_is_in_one_batch_in_the_order_of_the_files(folder: Path, call: Call) -> None:
    with ForestCoverSandbox(replay=folder, batch_seconds=0, whole_batches=True) as sandbox:
        batches = [call(sandbox).json()["data"] for _ in range(10)]
    assert [",".join(row) for batch in batches for row in batch] == [_row(number) for number in range(34)]
    assert {len(batch) for batch in batches} == {3, 4}


def test_a_call_gets_a_tenth_of_a_batch_but_one_row_at_least(folder: Path, call: Call) -> None:
    with ForestCoverSandbox(replay=folder) as sandbox:
        assert len(call(sandbox).json()["data"]) == 1


def test_what_a_file_holds_is_what_clients_get(tmp_path: Path, call: Call) -> None:
    odd = ["short,row", "2000,,24,nan,-37,2005,216,179,87,1924,Höhe,C7757,1"]
    (tmp_path / "covertype.csv").write_text("\n".join([",".join(COLUMNS), *(odd * 5)]), encoding="utf-8")
    with ForestCoverSandbox(replay=tmp_path, batch_seconds=0) as sandbox:
        assert [",".join(call(sandbox).json()["data"][0]) for _ in range(2)] == odd


def test_a_folder_without_samples_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path} holds no samples to replay: expected covertype\*\.csv"):
        ForestCoverSandbox(replay=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Elevation,Height\n1,2\n", "its titles are Elevation, Height; expected Elevation, Aspect"),
        ("", "its titles are ; expected"),
        ("\n".join([",".join(COLUMNS), *map(_row, range(9))]), "holds 9 samples to replay; 10 batches need"),
    ],
)
def test_a_file_that_cannot_be_served_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "covertype.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        ForestCoverSandbox(replay=tmp_path)
