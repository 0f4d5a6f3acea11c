"""From payloads to car parks and hourly rows: what each form of a value means, and what is set aside."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from mlops_assets.domains.donostia_parking.schema import validate_hourly, validate_parking, validate_readings
from mlops_assets.domains.donostia_parking.transforms import hourly_rows, parse_readings, reading_frame, whole_number
from mlops_assets.ml.validation import ValidationError
from mlops_assets.sandbox.donostia import PARKINGS

HOUR = datetime(2022, 5, 13, 8, tzinfo=UTC)
KEY = "2022-05-13T08"
ATOTXA = {"tipo": "LIB", "plazasRotatorias": 210, "libres": "129", "nombre": "Atotxa", "noteId": "A1"}
PLACE = {"type": "Point", "coordinates": [583343.01, 4796497.62]}


def _feature(geometry: Any = PLACE, **changed: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {**ATOTXA, **changed}}


def _without(name: str) -> dict[str, Any]:
    feature = _feature()
    del feature["properties"][name]
    return feature


def _readings(*features: list[Any]) -> pd.DataFrame:
    """A reading every minute."""
    bodies = [json.dumps({"type": "FeatureCollection", "features": each}) for each in features]
    return reading_frame((f"reading-{number}", HOUR + timedelta(minutes=number), None, body) for number, body in enumerate(bodies))


def _parse(*features: list[Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    return parse_readings(_readings(*features), HOUR)


def _rows(*counts: dict[str, Any]) -> list[list[Any]]:
    """Hourly rows of readings given as noteId -> libres."""
    parkings, _ = _parse(*([_feature(noteId=name, nombre=name.lower(), libres=free) for name, free in each.items()] for each in counts))
    rows = hourly_rows(parkings)
    validate_hourly(rows, KEY)
    return [
        [None if value is pd.NA else value for value in row]
        for row in rows[["parking_id", "free", "readings", "parkings", "clipped"]].to_numpy().tolist()
    ]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("129", 129),
        ("1.234", 1234),
        ("1.000", 1000),
        ("12.0", 12),
        ("0.000", 0),
        (" 7 ", 7),
        ("-8", -8),
        ("-1.234", -1234),
        (5, 5),
        (12.0, 12),
        (None, None),
        ("", None),
        ("  ", None),
    ],
)
def test_counts_are_read_as_the_feed_means_them(value: Any, number: int | None) -> None:
    assert whole_number(value) == number


@pytest.mark.parametrize(
    "value",
    ["abc", "1.5", "1.23", "1,234", "1e3", "+5", "\u0663", 1.5, True, float("nan"), float("inf"), [], {}, "9" * 5000, 10**30, 100_001],
)
def test_what_is_no_count_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no whole number|beyond 100000"):
        whole_number(value)


def test_a_feature_is_a_row_with_its_place_in_degrees() -> None:
    parkings, rejected = _parse([_feature(libres="-3")])

    validate_parking(parkings, KEY)
    (row,) = parkings.to_dict("records")
    assert (row["parking_id"], row["name"], row["free"], row["total"]) == ("A1", "Atotxa", -3, 210)
    assert (row["lat"], row["lon"]) == pytest.approx((43.3167, -1.9722), abs=1e-4)
    assert (row["timestamp"], row["hour"]) == (HOUR, HOUR)
    assert rejected.empty


def test_every_place_of_the_feed_is_where_its_car_park_is() -> None:
    parkings, rejected = _parse([parking.feature("1") for parking in PARKINGS])

    assert rejected.empty
    for parking, row in zip(PARKINGS, parkings.to_dict("records"), strict=True):
        assert (row["lat"], row["lon"]) == pytest.approx((parking.latitude, parking.longitude), abs=1e-4)


@pytest.mark.parametrize(
    ("feature", "column"),
    [
        (_feature(libres=None), "free"),
        (_feature(libres=""), "free"),
        (_without("libres"), "free"),
        (_without("plazasRotatorias"), "total"),
        (_without("nombre"), "name"),
        (_feature(geometry=None), "lat"),
    ],
    ids=["free null", "free empty", "no free", "no total", "no name", "no place"],
)
def test_what_is_missing_is_null_and_the_car_park_stays(feature: Any, column: str) -> None:
    parkings, rejected = _parse([feature])

    validate_parking(parkings, KEY)
    assert rejected.empty
    nulls = {"lat", "lon"} if column == "lat" else {column}
    assert {name for name in parkings if parkings[name].isna().all()} == nulls


@pytest.mark.parametrize(
    ("feature", "reason"),
    [
        (_without("noteId"), "no noteId"),
        (_feature(noteId=""), "no noteId"),
        (_feature(noteId=7), "no noteId"),
        (_feature(noteId="a\0b"), "no noteId"),
        (_feature(noteId="\ud800"), "no noteId"),
        (_feature(nombre=7), "nombre is no text"),
        (_feature(libres="abc"), "libres is no whole number"),
        (_feature(libres=1.5), "libres is no whole number"),
        (_feature(libres="123456"), "libres is beyond 100000"),
        (_feature(plazasRotatorias="many"), "plazasRotatorias is no whole number"),
        (_feature(geometry={"type": "Point", "coordinates": [-1.97, 43.31]}), "coordinates are not near Donostia"),
        (_feature(geometry={"type": "Point", "coordinates": [float("nan"), 1]}), "coordinates are not near Donostia"),
        (_feature(geometry={"type": "Point"}), "coordinates are not near Donostia"),
        (_feature(geometry={"type": "Point", "coordinates": [10**400, 1]}), "coordinates are not near Donostia"),
        (_feature(geometry={"coordinates": ["x", {}]}), "coordinates are not near Donostia"),
        ({"type": "Feature", "geometry": None}, "not a feature with properties"),
        (["x"], "not a feature with properties"),
        (None, "not a feature with properties"),
    ],
)
def test_a_feature_that_is_no_car_park_is_set_aside_and_the_rest_goes_on(feature: Any, reason: str) -> None:
    parkings, rejected = _parse([_feature(noteId="B2"), feature, _feature(noteId="C3")])

    validate_parking(parkings, KEY)
    assert parkings["parking_id"].tolist() == ["B2", "C3"]
    (row,) = rejected.to_dict("records")
    assert (row["reading"], row["feature_number"], row["reason"], row["hour"]) == ("reading-0", 1, reason, HOUR)
    assert row["feature"] == json.dumps(feature)


def test_of_two_features_with_one_id_the_first_counts() -> None:
    parkings, rejected = _parse([_feature(libres="1"), _feature(libres="2")], [_feature(libres="3")])

    assert parkings["free"].tolist() == [1, 3]
    assert rejected[["feature_number", "reason"]].to_numpy().tolist() == [[1, "noteId stands twice in the reading"]]


def test_readings_out_of_order_and_without_car_parks_give_the_usual_frames() -> None:
    readings = _readings([_feature(libres="1")], [_feature(libres="2")]).iloc[::-1].reset_index(drop=True)

    assert parse_readings(readings, HOUR)[0]["free"].tolist() == [1, 2]
    parkings, rejected = _parse([None])
    assert parkings.dtypes.equals(_parse([_feature()])[0].dtypes)
    assert rejected.dtypes.equals(_parse([_feature()])[1].dtypes)
    assert hourly_rows(parkings).dtypes.equals(hourly_rows(_parse([_feature()])[0]).dtypes)
    assert hourly_rows(parkings).empty


def test_the_last_reading_of_each_car_park_counts_and_the_city_is_their_sum() -> None:
    assert _rows({"A": "5", "B": "10"}, {"A": "7", "B": "11"}) == [["A", 7, 2, 1, 0], ["B", 11, 2, 1, 0], [None, 18, 2, 2, 0]]


def test_a_null_is_no_reading_and_a_negative_count_is_clipped() -> None:
    assert _rows({"A": "5", "B": "-4"}, {"A": None, "B": "-2"}) == [["A", 5, 1, 1, 0], ["B", 0, 2, 1, 1], [None, 5, 2, 2, 1]]


def test_a_car_park_that_does_not_report_lowers_the_sum_and_the_city_says_how_many_do() -> None:
    assert _rows({"A": "5", "B": None}) == [["A", 5, 1, 1, 0], [None, 5, 1, 1, 0]]


def test_a_renamed_car_park_is_the_same_under_its_last_name() -> None:
    parkings, _ = _parse([_feature(nombre="Estación")], [_feature(nombre="Geltokia", libres="4")])

    rows = hourly_rows(parkings)

    assert rows["name"].tolist()[0] == "Geltokia"
    assert rows["parking_id"].tolist()[0] == "A1"
    assert len(rows) == 2


def test_frames_of_another_hour_are_refused() -> None:
    readings, parkings = _readings([_feature()]), _parse([_feature()])[0]

    for validate, frame in ((validate_readings, readings), (validate_parking, parkings), (validate_hourly, hourly_rows(parkings))):
        with pytest.raises(ValidationError, match="not in hour 2022-05-13T09"):
            validate(frame, "2022-05-13T09")
