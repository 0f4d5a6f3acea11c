from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.chicago_crime.transforms import (
    CRIME_COLUMNS,
    DUPLICATE_ID,
    FLAG,
    MISSING_ARREST,
    MISSING_ID,
    OUTSIDE_CHICAGO,
    STATION_COLUMNS,
    TEXT,
    UNREADABLE_DATE,
    CrimeEnricher,
    raw_crimes_frame,
    raw_stations_frame,
    reject_reasons,
    rejected_rows,
    usable_rows,
)
from mlops_assets.ml.persistence import dumps, loads
from mlops_assets.ml.request import LISTED_PROBLEMS, InvalidRecordsError, Problem

NO_PLACE = dict.fromkeys(("x_coordinate", "y_coordinate", "latitude", "longitude"))
NOWHERE = {"x_coordinate": "0", "y_coordinate": "0", "latitude": "36.619446395", "longitude": "-91.686565684"}


def crime(**changes: Any) -> dict[str, Any]:
    """The portal's JSON of one crime; None leaves a key out, as the portal does."""
    row = {field.name: field.example for field in CHICAGO_CRIME.request} | {"arrest": True, ":updated_at": "2018-01-01T00:00:00.000Z"}
    return {name: value for name, value in (row | changes).items() if value is not None}


def station(district: str, x: str | None, y: str | None) -> dict[str, Any]:
    row = dict.fromkeys(STATION_COLUMNS, "text") | {"district": district, "x_coordinate": x, "y_coordinate": y}
    return {name: value for name, value in row.items() if value is not None and name not in ("latitude", "longitude")}


def raw(*rows: dict[str, Any]) -> pd.DataFrame:
    return raw_crimes_frame([list(rows)])


@pytest.fixture
def enricher() -> CrimeEnricher:
    return CrimeEnricher(["1", "15"], np.array([[1_180_000.0, 1_900_000.0], [1_140_000.0, 1_900_000.0]]))


def test_raw_crimes_frame_has_the_contract_columns_and_types() -> None:
    frame = raw(crime(location={"type": "Point"}, ward=None))
    assert tuple(frame.columns) == CRIME_COLUMNS
    assert {name for name in frame if frame[name].dtype == FLAG} == {"arrest", "domestic"}
    assert {name for name in frame if frame[name].dtype == TEXT} == set(CRIME_COLUMNS) - {"arrest", "domestic"}
    assert frame.loc[0, "date"] == "2017-11-26T23:53:00.000"
    assert frame.loc[0, "ward"] is pd.NA


def test_raw_crimes_frame_orders_by_id_as_a_number_across_pages() -> None:
    frame = raw_crimes_frame([[crime(id="10"), crime(id=None)], [crime(id="9")]])
    assert frame["id"].fillna("none").tolist() == ["9", "10", "none"]


def test_raw_crimes_frame_is_the_same_whatever_the_order_of_the_pages() -> None:
    rows = [crime(id=id_, **{":updated_at": stamp}) for id_ in ("7", "12", None) for stamp in ("2018-01-02", "2018-01-01", None)]
    pd.testing.assert_frame_equal(raw_crimes_frame([rows[:4], rows[4:]]), raw_crimes_frame([rows[::-1]]))


def test_raw_crimes_frame_of_no_pages_is_empty() -> None:
    frame = raw_crimes_frame([])
    assert tuple(frame.columns) == CRIME_COLUMNS
    assert frame.empty


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"arrest": "Y"}, "arrest holds 'Y' and 1 more"),
        ({"iucr": 460}, "iucr holds 460 and 1 more"),
        ({"domestic": 1}, "domestic holds 1 and"),
    ],
)
def test_raw_crimes_frame_names_wrong_json_types(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        raw(crime(**changes), crime(), crime(**changes))


def test_raw_stations_frame_orders_by_district_as_a_number() -> None:
    frame = raw_stations_frame([[station("Headquarters", "1", "1"), station("10", "1", "1")], [station("9", "1", "1")]])
    assert tuple(frame.columns) == STATION_COLUMNS
    assert frame["district"].tolist() == ["9", "10", "Headquarters"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        (NO_PLACE, None),
        ({"x_coordinate": None, "y_coordinate": None}, None),
        (NO_PLACE | {"x_coordinate": "1139962"}, None),
        ({"id": None}, MISSING_ID),
        ({"id": "JA1"}, MISSING_ID),
        ({"date": None}, UNREADABLE_DATE),
        ({"date": "11/26/2017 11:53:00 PM"}, UNREADABLE_DATE),
        ({"date": "2017-02-30T00:00:00.000"}, UNREADABLE_DATE),
        ({"date": "2017-11-26T23:53:00.000Z"}, UNREADABLE_DATE),
        ({"arrest": None}, MISSING_ARREST),
        (NOWHERE, OUTSIDE_CHICAGO),
        (NO_PLACE | {"latitude": "36.6", "longitude": "-91.7"}, OUTSIDE_CHICAGO),
        ({"x_coordinate": "east"}, OUTSIDE_CHICAGO),
        (NOWHERE | {"date": "?"}, UNREADABLE_DATE),
    ],
)
def test_reject_reasons_of_one_row(changes: dict[str, Any], reason: str | None) -> None:
    reasons = reject_reasons(raw(crime(**changes)))
    assert reasons.dtype == TEXT
    assert [None if found is pd.NA else found for found in reasons] == [reason]


def test_reject_reasons_keep_the_newest_of_a_duplicate_id() -> None:
    stamps = ["2018-01-02", "2018-01-03", None]
    frame = pd.concat([raw(crime(block=str(stamp), **{":updated_at": stamp})) for stamp in stamps], ignore_index=True)
    assert reject_reasons(frame).fillna("usable").tolist() == [DUPLICATE_ID, "usable", DUPLICATE_ID]


def test_usable_and_rejected_rows_are_all_rows() -> None:
    frame = raw(crime(id="1"), crime(id="2", arrest=None), crime(id="3"))
    assert usable_rows(frame)["id"].tolist() == ["1", "3"]
    assert rejected_rows(frame)[["id", "reason"]].to_numpy().tolist() == [["2", MISSING_ARREST]]


def test_enricher_takes_stations_with_a_place_in_the_order_of_their_number() -> None:
    rows = [
        station("10", "1150000", "1880000"),
        station("Headquarters", "1150000", "1880000"),
        station("3", None, None),
        station("9", None, None) | {"latitude": "41.83", "longitude": "-87.65"},
    ]
    enricher = CrimeEnricher.from_stations(raw_stations_frame([rows]).iloc[::-1])
    assert enricher.districts == ["9", "10"]
    assert enricher.sites[1].tolist() == [1_150_000.0, 1_880_000.0]


def test_enricher_needs_a_station() -> None:
    with pytest.raises(ValueError, match="none of 1 police stations"):
        CrimeEnricher.from_stations(raw_stations_frame([[station("Headquarters", "1150000", "1880000")]]))


def test_transform_keeps_raw_columns_and_adds_time_and_place(enricher: CrimeEnricher) -> None:
    frame = raw(crime(x_coordinate="1140000", y_coordinate="1903937"))
    enriched = enricher.transform(frame)
    pd.testing.assert_frame_equal(enriched[list(CRIME_COLUMNS)], frame.astype({"arrest": bool}))
    derived = enriched.drop(columns=list(CRIME_COLUMNS))
    assert derived.iloc[0].to_dict() == {
        "occurred_at": pd.Timestamp("2017-11-26T23:53"),
        "x_ft": 1_140_000.0,
        "y_ft": 1_903_937.0,
        "nearest_station": "15",
        "station_distance_m": pytest.approx(1200.0),
        "season": "Fall",
        "day_time": "Evening",
        "day_of_week": 6,
        "hour": 23,
        "minute": 53,
    }
    assert derived.dtypes.astype(str).to_dict() == {
        "occurred_at": "datetime64[us]",
        "x_ft": "float64",
        "y_ft": "float64",
        "nearest_station": "string",
        "station_distance_m": "float64",
        "season": "string",
        "day_time": "string",
        "day_of_week": "int64",
        "hour": "int64",
        "minute": "int64",
    }


@pytest.mark.parametrize(
    ("date", "season", "day_time"),
    [
        ("2017-12-01T00:00:00", "Winter", "Night"),
        ("2018-02-28T05:59:59.999", "Winter", "Night"),
        ("2017-03-01T06:00:00.000", "Spring", "Morning"),
        ("2017-06-01T12:00:00.000", "Summer", "Afternoon"),
        ("2017-08-31T17:59:59.000", "Summer", "Afternoon"),
        ("2013-09-01T18:00:00", "Fall", "Evening"),
    ],
)
def test_transform_knows_season_and_time_of_day(enricher: CrimeEnricher, date: str, season: str, day_time: str) -> None:
    enriched = enricher.transform(raw(crime(date=date)))
    assert enriched[["season", "day_time"]].iloc[0].tolist() == [season, day_time]


def test_transform_of_served_records_keeps_their_order(enricher: CrimeEnricher) -> None:
    records = pd.DataFrame([{"date": "2017-01-02T00:00:00.000"}, {"date": "2017-01-01T00:00:00.000"}], index=[5, 3])
    enriched = enricher.transform(records)
    assert enriched.index.tolist() == [0, 1]
    assert enriched["day_of_week"].tolist() == [0, 6]
    assert enriched["nearest_station"].isna().all()
    assert enriched["station_distance_m"].isna().all()


def test_transform_projects_degrees_where_feet_are_missing(enricher: CrimeEnricher) -> None:
    feet = enricher.transform(raw(crime()))
    degrees = enricher.transform(raw(crime(x_coordinate=None, y_coordinate=None)))
    place = ["x_ft", "y_ft", "station_distance_m"]
    np.testing.assert_allclose(degrees[place], feet[place], atol=1.0)


def test_transform_gives_equally_near_stations_to_the_lower_district(enricher: CrimeEnricher) -> None:
    enriched = enricher.transform(raw(crime(x_coordinate="1160000", y_coordinate="1900000")))
    assert enriched["nearest_station"].tolist() == ["1"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"date": "yesterday"}, "date", "'yesterday': not a date like 2017-11-26T23:53:00.000"),
        ({"date": None}, "date", "<NA>: not a date like 2017-11-26T23:53:00.000"),
        (
            NOWHERE,
            "x_coordinate",
            "'0', y_coordinate '0', latitude '36.619446395', longitude '-91.686565684': not a place in Chicago",
        ),
        (
            {"x_coordinate": None, "y_coordinate": None, "latitude": "41.9", "longitude": "12.5"},
            "latitude",
            "'41.9', longitude '12.5': not a place in Chicago",
        ),
    ],
)
def test_transform_names_row_field_and_value_that_it_cannot_read(
    enricher: CrimeEnricher, changes: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(InvalidRecordsError) as raised:
        enricher.transform(raw(crime(id="1"), crime(id="2", **changes)))

    assert raised.value.problems == (Problem(1, field, message),)
    assert str(raised.value) == f"row 1: {field} {message} (1 of 2 rows)"


def test_transform_names_every_row_up_to_a_hundred(enricher: CrimeEnricher) -> None:
    with pytest.raises(InvalidRecordsError) as raised:
        enricher.transform(raw(*[crime(id=str(number), date="yesterday") for number in range(LISTED_PROBLEMS + 1)]))

    assert [problem.record for problem in raised.value.problems] == list(range(LISTED_PROBLEMS))
    assert raised.value.total == LISTED_PROBLEMS + 1


def test_enricher_is_the_same_after_storing(enricher: CrimeEnricher) -> None:
    frame = raw(crime())
    pd.testing.assert_frame_equal(loads(dumps(enricher)).transform(frame), enricher.transform(frame))
