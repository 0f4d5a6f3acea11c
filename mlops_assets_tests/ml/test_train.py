from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import Candidate, Features
from mlops_assets.ml.persistence import dumps, loads
from mlops_assets.ml.train import FittedModel, fit_candidate, prepare

FEATURES = Features(numeric=("signal", "noise"), flags=("flag",), target=(("place",),))
PLAIN = Candidate("plain", "", params={"n_estimators": 5, "max_depth": 2})
TARGET = replace(PLAIN, name="target", encodings=("plain", "target"))
BALANCED = replace(PLAIN, name="balanced", balance=True)
SELECTED = replace(PLAIN, name="selected", select=True)
SCORES = pd.DataFrame({"feature": ["signal", "flag", "noise"], "mutual_information": [0.5, 0.2, 0.0], "selected": [True, True, False]})


def _frame(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Scaled training rows: `signal` decides the target, `place_target` helps."""
    generator = np.random.default_rng(seed)
    signal, noise = generator.normal(size=(2, rows))
    hit = (signal + 0.3 * generator.normal(size=rows) > 0.8).astype(np.int8)
    return pd.DataFrame(
        {
            "id": pd.Series(np.arange(rows).astype(str), dtype="string"),
            "hit": hit,
            "signal": signal,
            "noise": noise,
            "flag": (generator.random(rows) < 0.5).astype(float),
            "place_target": 0.2 + 0.1 * hit + 0.05 * noise,
        }
    )


TRAIN = _frame()
BALANCED_ROWS = TRAIN.loc[(TRAIN["hit"] == 1) | (TRAIN.index < 150), ["hit", "signal", "noise", "flag"]].reset_index(drop=True)


def _fit(candidate: Candidate, train: pd.DataFrame = TRAIN, **changes: Any) -> FittedModel:
    given: dict[str, Any] = {
        "balanced": BALANCED_ROWS,
        "selected": SCORES,
        "target": "hit",
        "features": FEATURES,
        "seed": 1,
        "threshold": 0.4,
        "classes": (0, 1),
        **changes,
    }
    return fit_candidate(candidate, candidate.params, train=train, **given)


@pytest.mark.parametrize(
    ("candidate", "columns", "rows"),
    [
        (PLAIN, ["signal", "noise", "flag"], TRAIN),
        (TARGET, ["signal", "noise", "flag", "place_target"], TRAIN),
        (SELECTED, ["signal", "flag"], TRAIN),
        (replace(BALANCED, select=True), ["signal", "flag"], BALANCED_ROWS),
    ],
)
def test_prepare_takes_the_rows_and_columns_of_the_candidate(candidate: Candidate, columns: list[str], rows: pd.DataFrame) -> None:
    names, matrix, labels = prepare(candidate, TRAIN, BALANCED_ROWS, SCORES, "hit", FEATURES)
    assert names == columns
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, rows[columns].to_numpy(dtype=np.float32))
    np.testing.assert_array_equal(labels, rows["hit"])


@pytest.mark.parametrize(
    ("candidate", "changes", "message"),
    [
        (BALANCED, {"balanced": None}, "'balanced' needs balanced rows"),
        (SELECTED, {"selected": None}, "'selected' needs selected features"),
        (replace(TARGET, balance=True), {}, "rows do not have: place_target"),
        (replace(TARGET, select=True), {}, "without a score cannot be selected: place_target"),
        (SELECTED, {"selected": SCORES.assign(selected=False)}, "none of 3 features is selected; the best scores 0.5000"),
        (PLAIN, {"train": TRAIN[TRAIN["hit"] == 0]}, r"rows by class: \{0: \d+\}"),
        (PLAIN, {"train": TRAIN[:0]}, "0 training rows"),
        (replace(PLAIN, estimator="magic"), {}, "no estimator 'magic'"),
    ],
)
def test_fit_candidate_refuses(candidate: Candidate, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _fit(candidate, **changes)


def test_fit_candidate_carries_what_it_was_fitted_with() -> None:
    model = _fit(SELECTED)
    assert (model.candidate, model.columns, model.params, model.threshold) == ("selected", ["signal", "flag"], dict(PLAIN.params), 0.4)


def test_fit_candidate_gives_the_same_bytes_again() -> None:
    assert dumps(_fit(TARGET)) == dumps(_fit(TARGET))


def test_fitted_model_predicts_unseen_rows() -> None:
    test = _frame(seed=9)
    probabilities = _fit(PLAIN).predict_probabilities(test)
    assert probabilities.dtype == np.float64
    assert probabilities.shape == (len(test), 2)
    probability = probabilities[:, 1]
    assert probability[test["hit"] == 1].mean() > probability[test["hit"] == 0].mean() + 0.3


def test_fitted_model_reads_columns_by_name() -> None:
    model, test = _fit(TARGET), _frame(seed=9)
    shuffled = test[["place_target", "flag", "id", "noise", "signal"]]
    np.testing.assert_array_equal(model.predict_probabilities(shuffled), model.predict_probabilities(test))
    with pytest.raises(KeyError, match="flag"):
        model.predict_probabilities(test.drop(columns="flag"))


def test_fitted_model_does_not_depend_on_the_batch() -> None:
    model, test = _fit(TARGET), _frame(seed=9)
    one_by_one = [model.predict_probabilities(test[row : row + 1])[0] for row in range(20)]
    np.testing.assert_array_equal(model.predict_probabilities(test)[:20], one_by_one)


def test_fitted_model_importance_adds_up_and_descends() -> None:
    importance = _fit(PLAIN).importance
    assert set(importance) == {"signal", "noise", "flag"}
    assert next(iter(importance)) == "signal"
    assert sum(importance.values()) == pytest.approx(1)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)


def test_fitted_model_survives_storage() -> None:
    model = _fit(TARGET)
    loaded = loads(dumps(model))
    np.testing.assert_array_equal(loaded.predict_probabilities(TRAIN), model.predict_probabilities(TRAIN))
    fields = ("columns", "params", "threshold", "classes", "learned", "rows", "available_rows", "importance")
    assert [getattr(loaded, name) for name in fields] == [getattr(model, name) for name in fields]


def test_fitted_model_gives_a_class_that_training_lacks_no_probability() -> None:
    codes = TRAIN.assign(hit=(3 * TRAIN["hit"]).astype(np.int8))
    model, plain = _fit(PLAIN, codes, classes=(0, 1, 2, 3)), _fit(PLAIN)
    probabilities = model.predict_probabilities(TRAIN)
    assert (model.classes, model.learned) == ((0, 1, 2, 3), (0, 3))
    assert probabilities.dtype == np.float64
    np.testing.assert_array_equal(probabilities[:, [0, 3]], plain.predict_probabilities(TRAIN))
    assert not probabilities[:, [1, 2]].any()


def test_fitted_model_reads_a_matrix_in_the_order_of_its_columns() -> None:
    model = _fit(TARGET)
    matrix = TRAIN[model.columns].to_numpy(dtype=np.float32)
    np.testing.assert_array_equal(model.probabilities_of(matrix), model.predict_probabilities(TRAIN))


def test_fit_candidate_takes_a_stratified_sample_of_too_many_rows() -> None:
    model = _fit(replace(PLAIN, max_rows=100))
    assert 98 <= model.rows <= 100 < model.available_rows == 300
    assert dumps(model) == dumps(_fit(replace(PLAIN, max_rows=100)))
    assert dumps(model) != dumps(_fit(replace(PLAIN, max_rows=100), seed=2))


def test_fit_candidate_samples_every_class() -> None:
    rare = TRAIN.assign(hit=np.where(TRAIN.index < 3, 2, TRAIN["hit"]).astype(np.int8))
    assert _fit(replace(PLAIN, max_rows=50), rare, classes=(0, 1, 2)).learned == (0, 1, 2)


@pytest.mark.parametrize("max_rows", [None, 300, 1000])
def test_fit_candidate_takes_all_rows_of_no_more_than_allowed(max_rows: int | None) -> None:
    model = _fit(replace(PLAIN, max_rows=max_rows))
    assert (model.rows, model.available_rows) == (300, 300)
    np.testing.assert_array_equal(model.predict_probabilities(TRAIN), _fit(PLAIN).predict_probabilities(TRAIN))


def test_fitted_model_without_importance_has_none() -> None:
    assert _fit(replace(PLAIN, estimator="svc", params={})).importance == {}
