"""Tests of predictions for raw records."""

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets.ml.persistence import dumps, loads
from mlops_assets.ml.request import InvalidRecordsError, Problem
from mlops_assets.ml.served import ServedModel

Crimes = Cells = list[dict[str, Any]]


def test_predict_agrees_with_the_stages(served: ServedModel, raw: pd.DataFrame) -> None:
    scaled = served.scaler.transform(served.encoder.transform(served.enricher.transform(raw)))

    answer = served.predict(raw)

    np.testing.assert_array_equal(answer["probability"], served.model.predict_probabilities(scaled)[:, 1])
    np.testing.assert_array_equal(answer["label"], answer["probability"] >= 0.4)
    assert answer.dtypes.astype(str).to_dict() == {"probability": "float64", "label": "bool"}
    assert set(answer["label"]) == {True, False}


def test_predict_gives_the_same_for_records_a_frame_and_one_record(served: ServedModel, crimes: Crimes, raw: pd.DataFrame) -> None:
    expected = served.predict(raw)

    pd.testing.assert_frame_equal(served.predict(crimes), expected)
    pd.testing.assert_frame_equal(served.predict(pd.DataFrame(crimes)), expected)
    pd.testing.assert_frame_equal(served.predict(crimes[7]), expected.iloc[[7]].reset_index(drop=True))


def test_predict_keeps_order_and_index(served: ServedModel, raw: pd.DataFrame) -> None:
    shuffled = raw.sample(frac=1, random_state=3)

    pd.testing.assert_frame_equal(served.predict(shuffled), served.predict(raw).loc[shuffled.index])


def test_predict_takes_records_without_optional_fields_and_with_others(served: ServedModel, crimes: Crimes) -> None:
    bare = {"date": crimes[0]["date"]}
    nulls = {**dict.fromkeys(crimes[0]), "date": crimes[0]["date"], ":updated_at": "x", "unheard_of": [1]}

    answer = served.predict([bare, nulls])

    assert answer["probability"].iloc[0] == answer["probability"].iloc[1]
    assert served.predict(pd.DataFrame([bare]))["probability"].iloc[0] == answer["probability"].iloc[0]


def test_predict_takes_unseen_categories(served: ServedModel, crimes: Crimes) -> None:
    assert served.predict({**crimes[0], "iucr": "ZZZZ", "location_description": "MOON"})["probability"].between(0, 1).all()


@pytest.mark.parametrize("dtype", ["object", "string", "string[pyarrow]", "category"])
def test_predict_takes_text_of_any_dtype(served: ServedModel, raw: pd.DataFrame, dtype: str) -> None:
    columns = {name: dtype for name in raw.columns if raw[name].dtype == "string[pyarrow]"}

    pd.testing.assert_frame_equal(served.predict(raw.astype(columns)), served.predict(raw))


def test_predict_reads_numbers_times_and_words_as_the_portal_writes_them(served: ServedModel, crimes: Crimes) -> None:
    record = {**crimes[0], "beat": "1524", "date": "2017-11-26T23:53:00", "domestic": True}

    as_numbers = {**record, "beat": 1524.0, "x_coordinate": int(record["x_coordinate"])}
    as_frame = pd.DataFrame([{**record, "date": pd.Timestamp(record["date"]), "domestic": "TRUE"}])

    expected = served.predict(record)
    pd.testing.assert_frame_equal(served.predict(as_numbers), expected)
    pd.testing.assert_frame_equal(served.predict(as_frame), expected)


def test_predict_of_nothing_is_empty(served: ServedModel, raw: pd.DataFrame) -> None:
    for nothing in ([], raw.iloc[:0]):
        answer = served.predict(nothing)

        assert answer.empty
        assert answer.dtypes.astype(str).to_dict() == {"probability": "float64", "label": "bool"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("date", None, r"row 1: date is required \(1 of 3 rows\)"),
        ("date", "26/11/2017", "row 1: date '26/11/2017'"),
        ("domestic", "perhaps", "row 1: domestic 'perhaps' is not a boolean"),
        ("beat", ["1524"], r"row 1: beat \['1524'\] is not a string"),
        ("beat", True, "row 1: beat True is not a string"),
        ("x_coordinate", "east", "row 1: .*x_coordinate .east."),
    ],
)
def test_predict_names_row_field_and_value_of_what_it_cannot_read(
    served: ServedModel, crimes: Crimes, field: str, value: Any, message: str
) -> None:
    records = [crimes[0], {**crimes[1], field: value}, crimes[2]]

    with pytest.raises(InvalidRecordsError, match=message):
        served.predict(records)


def test_predict_refuses_a_frame_without_a_required_column(served: ServedModel, raw: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"row 0: date is required; row 1: date is required.*\(300 of 300 rows\)"):
        served.predict(raw.drop(columns="date"))


class FramesOnly:
    """An enricher that takes no arrays."""

    def __init__(self, enricher: Any) -> None:
        self.transform = enricher.transform


def _with_nulls(cells: Cells) -> Cells:
    rng = np.random.default_rng(5)
    numbers = [field.name for field in FOREST_COVER.request if field.nullable]
    return [{**cell, **dict.fromkeys(rng.choice(numbers, rng.integers(0, 4)).tolist())} for cell in cells]


def test_predict_names_the_class_and_gives_every_probability(forest: ServedModel, cells: Cells) -> None:
    answer = forest.predict(cells)

    assert answer.columns.tolist() == ["label", *(f"probability_{code}" for code in range(7))]
    assert answer.dtypes.astype(str).tolist() == ["int64", *["float64"] * 7]
    probabilities = answer.iloc[:, 1:].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(answer["label"], probabilities.argmax(axis=1))
    assert (answer["label"] == [cell["cover_type"] for cell in cells]).mean() > 0.6
    assert answer["probability_6"].eq(0).all()  # no training row was of that class


def test_predict_of_no_cells_is_empty(forest: ServedModel) -> None:
    assert forest.predict([]).dtypes.equals(forest.predict(pd.DataFrame()).dtypes)
    assert forest.answer([]).probabilities.shape == (0, 7)


@pytest.mark.parametrize("estimator", ["random_forest", "xgboost", "logistic_regression"])
def test_answer_is_what_the_stages_and_frames_say(fit_forest: Callable[..., ServedModel], cells: Cells, estimator: str) -> None:
    served, records = fit_forest(estimator), _with_nulls(cells)
    frames = copy(served)
    frames.enricher = FramesOnly(served.enricher)
    table = pd.DataFrame(records)
    scaled = served.scaler.transform(served.encoder.transform(served.enricher.transform(table)))
    expected = served.model.predict_probabilities(scaled)  # type: ignore[attr-defined]

    answer = served.answer(records)

    np.testing.assert_allclose(answer.probabilities, expected, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(answer.labels, expected.argmax(axis=1))
    for same in (served.predict(records), served.predict(table), frames.predict(records), frames.predict(table)):
        np.testing.assert_allclose(same.iloc[:, 1:], expected, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(same["label"], answer.labels)


def test_answer_is_what_predict_says_of_crimes(served: ServedModel, crimes: Crimes) -> None:
    answer, expected = served.answer(crimes), served.predict(crimes)

    np.testing.assert_array_equal(answer.labels, expected["label"])
    np.testing.assert_array_equal(answer.probabilities[:, 1], expected["probability"])
    assert answer.probabilities.shape == (len(crimes), 2)


def test_one_cell_is_answered_as_among_many(forest: ServedModel, cells: Cells) -> None:
    together = forest.answer(_with_nulls(cells)).probabilities

    alone = [forest.answer([cell]).probabilities[0] for cell in _with_nulls(cells)[:30]]

    np.testing.assert_allclose(alone, together[:30], rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("estimator", ["random_forest", "logistic_regression"])
def test_the_largest_numbers_are_answered(fit_forest: Callable[..., ServedModel], cells: Cells, estimator: str) -> None:
    extreme = {**cells[0], "elevation": 1.7e308, "horizontal_distance_to_roadways": -1.7e308, "vertical_distance_to_hydrology": 1.7e308}

    probabilities = fit_forest(estimator).answer([extreme]).probabilities

    assert np.isfinite(probabilities).all()


def test_problems_name_the_field_of_a_cell(forest: ServedModel, cells: Cells) -> None:
    with pytest.raises(InvalidRecordsError) as raised:
        forest.answer([cells[0], {**cells[1], "soil_type": "C7754", "slope": "steep"}])

    assert [(problem.record, problem.field) for problem in raised.value.problems] == [(1, "slope"), (1, "soil_type")]


def test_what_an_enricher_cannot_read_is_a_problem(served: ServedModel, crimes: Crimes) -> None:
    with pytest.raises(InvalidRecordsError) as raised:
        served.answer([crimes[0], {**crimes[1], "date": "26/11/2017"}])

    assert len(raised.value.problems) == 1
    assert "'26/11/2017'" in raised.value.problems[0].message
    assert isinstance(raised.value.problems[0], Problem)


def test_what_is_worked_out_is_not_stored(forest: ServedModel, cells: Cells) -> None:
    before = dumps(loads(dumps(forest)))
    forest.answer(cells[:2])

    assert dumps(forest) == before
