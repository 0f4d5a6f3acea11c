from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domains.chicago_crime.schema import validate_enriched, validate_raw, validate_stations
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.chicago_crime.transforms import STATION_COLUMNS, CrimeEnricher, raw_crimes_frame, raw_stations_frame
from mlops_assets.ml.validation import ValidationError

MONTH = "2017-11"
ROWS = 40


def month(**changes: Any) -> pd.DataFrame:
    """A month of raw crimes, `changes` in its first row; None leaves the key out."""
    row = {field.name: field.example for field in CHICAGO_CRIME.request} | {"arrest": True, ":updated_at": "2018-01-01T00:00:00.000Z"}
    rows = [row | {"id": str(number)} for number in range(ROWS)]
    rows[0] = {name: value for name, value in (rows[0] | changes).items() if value is not None}
    return raw_crimes_frame([rows])


@pytest.fixture
def stations() -> pd.DataFrame:
    row = dict.fromkeys(STATION_COLUMNS, "text") | {"x_coordinate": "1140000", "y_coordinate": "1900000"}
    return raw_stations_frame([[row | {"district": "15"}, row | {"district": "Headquarters"}]])


@pytest.fixture
def enriched() -> pd.DataFrame:
    return CrimeEnricher(["15"], np.array([[1_140_000.0, 1_900_000.0]])).transform(month())


def test_validate_raw_accepts_a_good_month() -> None:
    validation = validate_raw(month(), MONTH)
    assert (validation.rows, validation.failures, validation.set_aside) == (ROWS, (), 0)


def test_validate_raw_accepts_an_empty_month() -> None:
    assert validate_raw(raw_crimes_frame([]), MONTH).rows == 0


@pytest.mark.parametrize(
    ("changes", "column", "check", "example"),
    [
        ({"id": "1"}, "id", "duplicate id", "1"),
        ({"date": "soon"}, "date", "unreadable date", "soon"),
        ({"arrest": None}, "arrest", "missing arrest", "<NA>"),
        ({"x_coordinate": "0", "y_coordinate": "0"}, "x_coordinate", "outside Chicago", "0"),
    ],
)
def test_validate_raw_counts_what_is_set_aside(changes: dict[str, Any], column: str, check: str, example: str) -> None:
    validation = validate_raw(month(**changes), MONTH)
    (failure,) = validation.failures
    assert (failure.column, failure.check, failure.count, failure.examples) == (column, check, 1, (example,))
    assert validation.set_aside == 1


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda frame: frame.drop(columns="beat"), r"beat: missing column \(40 rows\)"),
        (lambda frame: frame.rename(columns={"beat": "police_beat"}), r"police_beat: unknown column .*; beat: missing column"),
        (lambda frame: frame.assign(beat=frame["beat"].where(frame["beat"].isna())), r"beat: entirely null \(40 rows"),
        (lambda frame: frame.assign(ward=37), r"ward: dtype\('string\[pyarrow\]'\) \(40 rows, e.g. 37\)"),
        (lambda frame: frame.assign(arrest=frame["arrest"].mask(frame.index < 3)), r"arrest: missing arrest \(3 rows"),
    ],
)
def test_validate_raw_refuses_structural_faults(spoil: Callable[[pd.DataFrame], pd.DataFrame], fault: str) -> None:
    with pytest.raises(ValidationError, match=rf"raw crimes of 2017-11 \(40 rows\) cannot be accepted: {fault}"):
        validate_raw(spoil(month()), MONTH)


def test_validate_raw_refuses_a_row_of_another_month() -> None:
    with pytest.raises(ValidationError, match="outside 2017-11") as caught:
        validate_raw(month(date="2017-12-01T00:00:00.000"), MONTH)
    (failure,) = caught.value.failures
    assert (failure.column, failure.count) == ("date", 1)


def test_validate_stations_accepts_the_stations_once_each(stations: pd.DataFrame) -> None:
    assert validate_stations(stations).rows == 2
    with pytest.raises(ValidationError, match="district: not unique"):
        validate_stations(pd.concat([stations, stations], ignore_index=True))


def test_validate_enriched_accepts_what_the_enricher_makes(enriched: pd.DataFrame) -> None:
    assert validate_enriched(enriched).rows == ROWS


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("hour", 24, r"hour: in_range\(0, 23\) \(1 rows, e.g. 24\)"),
        ("season", "Monsoon", "season: isin"),
        ("occurred_at", pd.NaT, "occurred_at: missing value"),
        ("station_distance_m", 1e6, "station_distance_m: in_range"),
        ("id", "1", "id: not unique"),
    ],
)
def test_validate_enriched_refuses_what_no_usable_row_gives(enriched: pd.DataFrame, column: str, value: Any, fault: str) -> None:
    enriched.loc[0, column] = value
    with pytest.raises(ValidationError, match=fault):
        validate_enriched(enriched)
