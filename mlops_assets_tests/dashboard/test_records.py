"""Tables as records and back: files, cell types, parts, and rows that are not scored."""

from typing import Any

import pandas as pd
import pytest

from mlops_assets.dashboard.answers import Predictions, RequestField
from mlops_assets.dashboard.client import Api, UnexpectedAnswerError
from mlops_assets.dashboard.records import Problem, Scored, TableError, read_csv, results, score, to_records
from mlops_assets.domains.forest_cover.spec import FOREST_COVER

FIELDS = [
    RequestField(name="height", type="double", required=True, nullable=True),
    RequestField(name="trees", type="long", required=True),
    RequestField(name="wet", type="boolean"),
    RequestField(name="area", type="string", required=True, categories=["north", "south"]),
]
GOOD = {"height": 1.5, "trees": 3, "wet": True, "area": "north"}


def cells(**changes: Any) -> pd.DataFrame:
    row = {"height": "1.5", "trees": "3", "wet": "yes", "area": "north", **changes}
    return pd.DataFrame([row], dtype=object)


def test_text_becomes_typed_values() -> None:
    assert to_records(cells(), FIELDS) == ({0: GOOD}, [])


@pytest.mark.parametrize("missing", [None, pd.NA, float("nan"), ""])
def test_missing_value_is_null_where_it_may_be(missing: Any) -> None:
    records, problems = to_records(cells(height=missing, wet=missing), FIELDS)

    assert records == {0: {**GOOD, "height": None, "wet": None}}
    assert not problems


@pytest.mark.parametrize(
    ("field", "cell", "message"),
    [
        ("height", "tall", "not a number"),
        ("height", "inf", "not a finite number"),
        ("trees", "2.5", "not a whole number"),
        ("trees", None, "is missing"),
        ("wet", "maybe", "neither true nor false"),
        ("area", "east", "not one of its 2 categories"),
    ],
)
def test_cell_that_cannot_be_used_is_named_and_its_row_left_out(field: str, cell: Any, message: str) -> None:
    frame = pd.concat([cells(), cells(**{field: cell})])

    records, problems = to_records(frame, FIELDS)

    assert list(records) == [0]
    assert [(problem.row, problem.field) for problem in problems] == [(1, field)]
    assert message in problems[0].message


def test_optional_column_may_be_absent_and_an_unknown_one_is_not_sent() -> None:
    records, _ = to_records(cells(note="mine").drop(columns="wet"), FIELDS)

    assert records == {0: {"height": 1.5, "trees": 3, "area": "north"}}


def test_needed_column_that_is_absent_is_named() -> None:
    with pytest.raises(TableError, match="lacks trees, area"):
        to_records(cells().drop(columns=["trees", "area"]), FIELDS)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa,b\r\n1,\r\n", b"a;b\n1;\n\n", b' a , b \n"1", \n'])
def test_file_is_read_with_its_byte_order_mark_separator_and_blanks(content: bytes) -> None:
    frame, problems = read_csv(content)

    assert frame.to_dict("list") == {"a": ["1"], "b": [None]}
    assert not problems


def test_rows_of_another_length_are_named() -> None:
    frame, problems = read_csv(b"a,b\n1,2\n1\n1,2,3\n")

    assert len(frame) == 3
    assert [(problem.row, problem.message) for problem in problems] == [
        (1, "has 1 cells where the header has 2"),
        (2, "has 3 cells where the header has 2"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"\n\n", "empty"), (b"a,b\n", "no rows"), (b"a,a\n1,2\n", "more than once"), (b"a\n\xff\n", "not UTF-8")],
)
def test_file_that_is_no_table_says_why(content: bytes, message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_csv(content)


def test_scoring_in_parts_covers_every_row_once_and_names_refused_ones(api: Any) -> None:
    example = {field.name: field.example for field in FOREST_COVER.request}
    records = {row: {**example, "slope": -9999.0} if row in (4, 11) else example for row in range(2, 27)}

    parts = list(score(Api(api.url), "forest_cover", records, chunk=10))

    assert [row for part in parts for row in part.rows] == [row for row in records if row not in (4, 11)]
    assert [problem for part in parts for problem in part.problems] == [
        Problem(4, "slope", "is too low"),
        Problem(11, "slope", "is too low"),
    ]
    assert all(part.answer and len(part.answer.predictions) == len(part.rows) for part in parts)


def test_part_of_which_nothing_is_left_has_no_answer(api: Any) -> None:
    example = {field.name: field.example for field in FOREST_COVER.request}

    (part,) = score(Api(api.url), "forest_cover", {0: {**example, "slope": -9999.0}})

    assert (part.rows, part.answer, len(part.problems)) == ((), None, 1)


def test_failure_of_the_api_ends_the_scoring(api: Any) -> None:
    api.fault = (500, b"")

    with pytest.raises(UnexpectedAnswerError):
        list(score(Api(api.url), "forest_cover", {0: {}}))


def test_results_keep_every_row_with_prediction_or_problem() -> None:
    frame = pd.DataFrame({"id": ["a", "b", "c"], "prediction": ["old"] * 3, "row_number": [7, 8, 9]}, index=[4, 5, 6])
    answer = Predictions(model_version="7", predictions=[1, 0], probabilities=[[0.25, 0.75], [0.5, 0.5]])

    found = results(
        frame, [Scored((0, 2), answer, ())], [Problem(1, "x", "is missing"), Problem(1, "y", "is missing")], {0: "Fir", 1: "Pine"}
    )

    assert list(found) == [
        "row_number",
        "id",
        "prediction",
        "prediction_name",
        "probability_0",
        "probability_1",
        "model_version",
        "problem",
    ]
    assert found["row_number"].tolist() == [1, 2, 3]
    assert found["prediction"].tolist() == [1, pd.NA, 0]
    assert found["prediction_name"].tolist()[::2] == ["Pine (1)", "Fir (0)"]
    assert found["probability_1"].tolist()[::2] == [0.75, 0.5]
    assert found.loc[1, "problem"] == "x: is missing; y: is missing"
    assert found.loc[[0, 2], "problem"].isna().all()


def test_results_of_a_binary_model_have_one_probability() -> None:
    answer = Predictions(model_version="7", predictions=[True], probabilities=[0.9])

    found = results(pd.DataFrame({"id": ["a"]}), [Scored((0,), answer, ())], [], None)

    assert found.drop(columns="problem").to_dict("records") == [
        {"row_number": 1, "id": "a", "prediction": True, "prediction_name": "yes", "probability": 0.9, "model_version": "7"}
    ]


def test_results_without_any_prediction_still_name_the_problems() -> None:
    found = results(pd.DataFrame({"id": ["a"]}), [], [Problem(0, "", "too short")], None)

    assert found.to_dict("records") == [{"row_number": 1, "id": "a", "problem": "too short"}]
