"""Exports made here, replayed as the portal would serve them."""

import csv
import gzip
import json
from pathlib import Path

import pytest
from sodapy import Socrata

from mlops_assets.sandbox.socrata import SocrataSandbox

CRIMES, STATIONS = "ijzp-q8t2", "z8bn-74gv"
TITLES = (
    "ID,Case Number,Date,Block,IUCR,Primary Type,Description,Location Description,Arrest,Domestic,Beat,District,Ward,Community Area,"
    "FBI Code,X Coordinate,Y Coordinate,Updated On,Latitude,Longitude"
)
FIRST = (
    '11227508,JB146365,12/31/2017 11:59:00 PM,027XX S WHIPPLE ST,1754,OFFENSE,AGG,"CTA ""L"" PLATFORM",false,true,1033,010,12,30,02,,,'
    "02/11/2018 03:57:41 PM,,"
)
SECOND = (
    "11228656,JB149151,01/01/2017 12:01:00 AM,081XX S ELLIS AVE,1153,THEFT,FRAUD,,true,false,0631,006,8,44,11,1183000,1851000,"
    "02/13/2018 03:58:53 PM,41.746,-87.604"
)
SHAPES = [
    {"needs_recoding": False, "longitude": "-87.7", "latitude": "41.9"},
    {"type": "Point", "coordinates": [-87.7, 41.9]},
    "(41.9, -87.7)",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with gzip.open(tmp_path / "crimes_2017.csv.gz", "wt") as file:
        file.write("\n".join([TITLES, FIRST, SECOND, ""]))
    return tmp_path


def test_an_export_is_served_in_the_apis_form(folder: Path, connect) -> None:
    with SocrataSandbox(replay=folder) as sandbox:
        client: Socrata = connect(sandbox)
        first, second = client.get(CRIMES, order=":id", select="*, :updated_at")
    assert second == {
        "id": "11227508",
        "case_number": "JB146365",
        "date": "2017-12-31T23:59:00.000",
        "block": "027XX S WHIPPLE ST",
        "iucr": "1754",
        "primary_type": "OFFENSE",
        "description": "AGG",
        "location_description": 'CTA "L" PLATFORM',
        "arrest": False,
        "domestic": True,
        "beat": "1033",
        "district": "010",
        "ward": "12",
        "community_area": "30",
        "fbi_code": "02",
        "year": "2017",
        "updated_on": "2018-02-11T15:57:41.000",
        ":updated_at": "2018-02-11T21:57:41.000Z",
    }
    assert first["date"] == "2017-01-01T00:01:00.000"
    assert first["arrest"] is True
    assert first["location"] == {"type": "Point", "coordinates": [-87.604, 41.746]}
    assert "location_description" not in first


def test_a_replayed_month_is_counted_paged_and_revised(folder: Path, connect) -> None:
    with SocrataSandbox(replay=folder) as sandbox:
        client: Socrata = connect(sandbox)
        query = {"select": "date_trunc_ym(date) as month, count(*) as rows", "group": "month", "order": "month"}
        assert [month["rows"] for month in client.get(CRIMES, **query)] == ["1", "1"]
        sandbox.revise("2017-12", rows=1, add_rows=2)
        assert [month["rows"] for month in client.get(CRIMES, **query)] == ["1", "3"]
        assert client.get(CRIMES, where="id = 11227508", select="arrest") == [{"arrest": True}]


@pytest.mark.parametrize("location", SHAPES)
def test_every_historical_location_gives_a_point(tmp_path: Path, connect, location: object) -> None:
    row = {"id": "1", "date": "2013-10-01T23:55:00", "arrest": False, "updated_on": "2013-10-05T00:40:31", "location": location}
    (tmp_path / "crimes.json").write_text(json.dumps([row]))
    with SocrataSandbox(replay=tmp_path) as sandbox:
        client: Socrata = connect(sandbox)
        served = client.get(CRIMES)[0]
    assert served["location"] == {"type": "Point", "coordinates": [-87.7, 41.9]}
    assert (served["latitude"], served["longitude"], served["date"]) == ("41.9", "-87.7", "2013-10-01T23:55:00.000")


def test_stations_are_replayed_when_they_are_there(folder: Path, connect) -> None:
    with (folder / "police_stations.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["DISTRICT", "DISTRICT NAME", "ADDRESS", "FAX"], ["99", "Moon", "1 Crater\n", ""]])
    with SocrataSandbox(replay=folder) as sandbox:
        client: Socrata = connect(sandbox)
        assert client.get(STATIONS) == [{"district": "99", "district_name": "Moon", "address": "1 Crater\n"}]


def test_a_folder_without_exports_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path}.*crimes\*\.csv"):
        SocrataSandbox(replay=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("Station,Reading\nA,1\n", "1 rows to replay have no id"), (f"{TITLES}\n{SECOND.replace('01/01/2017', 'soon')}\n", "soon")],
)
def test_a_file_that_is_no_export_of_crimes_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "crimes.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        SocrataSandbox(replay=tmp_path)
