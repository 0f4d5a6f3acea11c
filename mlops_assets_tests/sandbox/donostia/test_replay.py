"""Exports made here, replayed as an archive of the feed would serve them."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from mlops_assets.sandbox.donostia import PARKINGS, DonostiaSandbox

TITLES = "properties.nombre,properties.libres,timestamp"
NOTE_IDS = {parking.name: parking.note_id for parking in PARKINGS}

Ask = Callable[..., requests.Response]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Snapshots of 02:10:30, 03:59:59.9, 03:05 and 06:20 in two files; none of 04 and 05 o'clock."""
    first = [f"{name},{free},2022-05-12 {time}" for time, free in (("02:10:30", 1), ("03:59:59.900000", 3)) for name in ("Atotxa", "Easo")]
    with gzip.open(tmp_path / "donostia_parkings_a.csv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join([TITLES, *first, ""]))
    second = ["Estación,-2,2022-05-12 03:05:00", "Geltokia,,2022-05-12T08:20:00+02:00", "Nuevo,9,2022-05-12T08:20:00+02:00"]
    (tmp_path / "donostia_parkings_b.csv").write_text("\r\n".join([TITLES, *second]), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "captured", "free"),
    [
        ("02:10:30", "02:10:30", [("Atotxa", "1"), ("Easo", "1")]),
        ("03:04:59", "02:10:30", [("Atotxa", "1"), ("Easo", "1")]),
        ("03:59:58", "03:05:00", [("Estación", "-2")]),
        ("03:59:59", "03:59:59", [("Atotxa", "3"), ("Easo", "3")]),
        ("05:59:59", "03:59:59", [("Atotxa", "3"), ("Easo", "3")]),
        ("23:00:00", "06:20:00", [("Geltokia", ""), ("Nuevo", "9")]),
    ],
)
def test_the_newest_snapshot_at_or_before_a_time_says_when_it_was_captured(
    folder: Path, ask: Ask, asked: str, captured: str, free: list[tuple[str, str]]
) -> None:
    with DonostiaSandbox(replay=folder) as sandbox:
        response = ask(sandbox, f"Thu, 12 May 2022 {asked} GMT")
    assert response.headers["Memento-Datetime"] == f"Thu, 12 May 2022 {captured} GMT"
    assert [(one["properties"]["nombre"], one["properties"]["libres"]) for one in response.json()["features"]] == free


def test_a_car_park_keeps_its_id_under_another_name(folder: Path, ask: Ask) -> None:
    with DonostiaSandbox(replay=folder) as sandbox:
        renamed, unknown = (feature["properties"]["noteId"] for feature in ask(sandbox).json()["features"])
    assert renamed == NOTE_IDS["Estación"]
    assert unknown not in NOTE_IDS.values()


def test_before_the_first_snapshot_there_is_nothing(folder: Path, ask: Ask) -> None:
    with DonostiaSandbox(replay=folder) as sandbox:
        response = ask(sandbox, "Thu, 12 May 2022 02:10:29 GMT")
        with pytest.raises(LookupError, match="no snapshot at or before 2022-05-12"):
            sandbox.counts(datetime(2022, 5, 12, tzinfo=UTC))
    assert (response.status_code, response.text) == (404, "The archive begins after Thu, 12 May 2022 02:10:29 GMT")
    assert "Memento-Datetime" not in response.headers


def test_what_is_replayed_is_never_of_now(folder: Path, ask: Ask, clock) -> None:
    clock.now = datetime(2022, 5, 12, 3, 30, tzinfo=UTC)
    with DonostiaSandbox(replay=folder, clock=clock) as sandbox:
        response = ask(sandbox)
    assert response.headers["Memento-Datetime"] == "Thu, 12 May 2022 03:05:00 GMT"
    assert response.headers["Date"] == "Thu, 12 May 2022 03:30:00 GMT"


def test_a_folder_without_snapshots_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path} holds no car parks to replay: expected donostia_parkings\*\.csv"):
        DonostiaSandbox(replay=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nombre,libres\nAtotxa,1\n", "its titles are nombre, libres; expected properties.nombre"),
        ("", "its titles are ; expected"),
        (f"{TITLES}\n", "holds no snapshot to replay"),
        (f"{TITLES}\nAtotxa,1,yesterday\n", "the snapshot of 'yesterday' cannot be replayed"),
    ],
)
def test_a_file_that_cannot_be_served_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "donostia_parkings.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        DonostiaSandbox(replay=tmp_path)
