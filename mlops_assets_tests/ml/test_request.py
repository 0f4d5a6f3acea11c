"""Tests of reading raw records."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.request import LISTED_PROBLEMS, Field, InvalidRecordsError, Problem, RequestReader

FIELDS = (
    Field("height", "double", required=True, nullable=True),
    Field("soil", "string", required=True, categories=("C2702", "C7745", "Rock")),
    Field("note", "string", required=False),
    Field("wet", "boolean", required=False),
    Field("count", "long", required=False),
)
RECORD = {"height": 2.5, "soil": "C7745", "note": "n", "wet": True, "count": 3}


@pytest.fixture(scope="module")
def reader() -> RequestReader:
    """A reader of `FIELDS`."""
    return RequestReader(FIELDS)


def _problems(reader: RequestReader, records: Any) -> list[Problem]:
    with pytest.raises(InvalidRecordsError) as raised:
        reader.columns(records)
    return list(raised.value.problems)


def test_columns_are_plain_arrays(reader: RequestReader) -> None:
    columns = reader.columns([RECORD, {"height": None, "soil": "Rock", "else": 1}])

    assert {name: column.dtype.kind for name, column in columns.items()} == {
        "height": "f",
        "soil": "O",
        "note": "O",
        "wet": "f",
        "count": "f",
    }
    np.testing.assert_array_equal(columns["height"], [2.5, np.nan])
    np.testing.assert_array_equal(columns["wet"], [1.0, np.nan])
    assert columns["soil"].tolist() == ["C7745", "Rock"]
    assert columns["note"].tolist() == ["n", None]


@pytest.mark.parametrize("as_table", [False, True], ids=["mappings", "frame"])
def test_columns_and_frame_say_the_same(reader: RequestReader, as_table: bool) -> None:
    records: Any = [RECORD, {**RECORD, "height": None, "note": None, "wet": None, "count": None}]
    records = pd.DataFrame(records) if as_table else records

    columns, frame = reader.columns(records), reader.frame(records)

    assert frame.dtypes.astype(str).tolist() == ["Float64", "string", "string", "boolean", "Int64"]
    for name, column in columns.items():
        missing = None if column.dtype == object else np.nan
        np.testing.assert_array_equal(frame[name].to_numpy(dtype=column.dtype, na_value=missing), column)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("height", "2.5", "'2.5' is not a double"),
        ("height", True, "True is not a double"),
        ("height", float("nan"), "nan is not a double"),
        ("height", float("-inf"), "-inf is not a double"),
        ("height", 10**400, f"{str(10**400)[:80]} is not a double"),
        ("height", [1.0], "[1.0] is not a double"),
        ("soil", None, "is required"),
        ("soil", "C7754", "'C7754' is none of its 3 categories; the nearest is 'C7745'"),
        ("soil", 7, "'7' is none of its 3 categories; the nearest is 'C7745'"),
        ("note", b"n", "b'n' is not a string"),
        ("note", True, "True is not a string"),
        ("note", {}, "{} is not a string"),
        ("note", "\ud800", "'\\ud800' is not a string"),
        ("note", float("nan"), "nan is not a string"),
        ("wet", "true", "'true' is not a boolean"),
        ("wet", 1, "1 is not a boolean"),
        ("count", 1.5, "1.5 is not a long"),
        ("count", "1", "'1' is not a long"),
        ("count", 2**53 + 2, f"{2**53 + 2} is not a long"),
    ],
)
def test_wrong_value_is_named_with_record_and_field(reader: RequestReader, field: str, value: Any, message: str) -> None:
    assert _problems(reader, [RECORD, {**RECORD, field: value}]) == [Problem(1, field, message)]


def test_required_field_may_be_null_where_nullable_but_not_absent(reader: RequestReader) -> None:
    without = {name: value for name, value in RECORD.items() if name != "height"}

    assert np.isnan(reader.columns([{**RECORD, "height": None}])["height"]).all()
    assert _problems(reader, [without]) == [Problem(0, "height", "is required, though it may be null")]
    assert _problems(reader, pd.DataFrame([without])) == [Problem(0, "height", "is required, though it may be null")]


@pytest.mark.parametrize(
    ("value", "text"), [(1524, "1524"), (1524.0, "1524"), (np.int64(7), "7"), (41.895796081, "41.895796081"), ("é", "é"), ("", "")]
)
def test_text_takes_numbers_as_the_upstream_writes_them(reader: RequestReader, value: Any, text: str) -> None:
    assert reader.columns([{**RECORD, "note": value}])["note"].tolist() == [text]


@pytest.mark.parametrize(("value", "number"), [(3, 3.0), (np.float32(2.5), 2.5), (-0.0, -0.0)])
def test_double_takes_every_finite_number(reader: RequestReader, value: Any, number: float) -> None:
    assert reader.columns([{**RECORD, "height": value}])["height"].tolist() == [number]


@pytest.mark.parametrize("null", [None, np.nan, pd.NA, pd.NaT], ids=str)
def test_frame_may_have_any_null(reader: RequestReader, null: Any) -> None:
    frame = pd.DataFrame([RECORD, {**RECORD, "height": null, "note": null, "wet": null, "count": null}], dtype=object)

    columns = reader.columns(frame)

    assert [np.isnan(columns[name][1]) for name in ("height", "wet", "count")] == [True] * 3
    assert columns["note"][1] is None


def test_frame_may_have_words_for_booleans_and_numbers_of_any_kind(reader: RequestReader) -> None:
    frame = pd.DataFrame([{**RECORD, "wet": "TRUE"}, {**RECORD, "wet": 0}]).astype({"height": "float32", "count": "int16"})

    columns = reader.columns(frame)

    assert (columns["wet"].tolist(), columns["height"].tolist(), columns["count"].tolist()) == ([1, 0], [2.5, 2.5], [3, 3])


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("height", [1.0, np.inf], "inf is not a double"),
        ("height", [1.0, "2"], "'2' is not a double"),
        ("height", [False, True], "True is not a double"),
        ("soil", ["Rock", None], "is required"),
        ("soil", ["Rock", "rock"], "'rock' is none of its 3 categories; the nearest is 'Rock'"),
    ],
)
def test_wrong_value_in_a_frame_is_named(reader: RequestReader, field: str, values: list[Any], message: str) -> None:
    assert Problem(1, field, message) in _problems(reader, pd.DataFrame([RECORD] * 2).assign(**{field: values}))


def test_problems_come_by_record_and_are_counted_beyond_those_listed(reader: RequestReader) -> None:
    with pytest.raises(InvalidRecordsError) as raised:
        reader.columns([RECORD, *[{"height": "x", "soil": None}] * 200])

    error = raised.value
    assert (len(error.problems), error.total) == (LISTED_PROBLEMS, 400)
    assert [(problem.record, problem.field) for problem in error.problems[:3]] == [(1, "height"), (1, "soil"), (2, "height")]
    assert str(error).startswith("row 1: height 'x' is not a double, soil is required; row 2: ")
    assert str(error).endswith("(200 of 201 rows)")


def test_record_that_is_no_object_is_named(reader: RequestReader) -> None:
    with pytest.raises(InvalidRecordsError, match=r"row 1: it is not an object \(1 of 2 rows\)"):
        reader.columns([RECORD, [1, 2]])  # type: ignore[list-item]
