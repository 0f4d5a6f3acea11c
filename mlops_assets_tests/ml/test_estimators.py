"""Every kind of estimator, of two classes and of several."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no type information

from mlops_assets.ml.estimators import ESTIMATORS, Estimator, build_estimator, fit_estimator, importances
from mlops_assets.ml.persistence import dumps, loads

ROWS = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32)
TWO = (ROWS[:, 0] + 0.3 * ROWS[:, 1] > 0).astype(np.int8)
THREE = np.digitize(ROWS[:, 0] + 0.3 * ROWS[:, 1], (-0.5, 0.7)).astype(np.int8)
MANY = np.random.default_rng(2).normal(size=(20_000, 30)).astype(np.float32)
FIVE = np.digitize(MANY[:, 0] + MANY[:, 1:].sum(axis=1) / 5, (-1.0, -0.1, 0.7, 1.6)).astype(np.int8)
"""Enough rows for threads to share, of enough columns for rounding to show."""
SAMPLED = {"n_estimators": 10, "max_depth": 3, "subsample": 0.7, "colsample_bytree": 0.5}
SMALL: Mapping[str, dict[str, Any]] = {
    "xgboost": {"n_estimators": 10},
    "random_forest": {"n_estimators": 10},
    "extra_trees": {"n_estimators": 10},
    "logistic_regression": {},
    "svc": {"C": 10.0},
}

every_estimator = pytest.mark.parametrize("name", ESTIMATORS)
every_task = pytest.mark.parametrize("labels", [TWO, THREE], ids=["two", "three"])


def _fit(name: str, labels: np.ndarray, seed: int = 0, **params: Any) -> Estimator:
    return fit_estimator(name, SMALL[name] | params, ROWS, labels, seed)


def test_build_estimator_refuses_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="no estimator 'magic'; there are: xgboost, "):
        build_estimator("magic", {}, 0)


@every_task
@every_estimator
def test_fit_estimator_learns_and_gives_probabilities(name: str, labels: np.ndarray) -> None:
    probabilities = _fit(name, labels).predict_proba(ROWS)
    assert probabilities.shape == (400, labels.max() + 1)
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.93
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@every_task
@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "svc"])
def test_importances_add_up_and_know_the_signal(name: str, labels: np.ndarray) -> None:
    shares = importances(_fit(name, labels))
    assert shares is not None
    assert shares.sum() == pytest.approx(1)
    assert shares.argsort().tolist() == [2, 1, 0]


def test_importances_of_a_kernel_machine_are_none() -> None:
    assert importances(_fit("svc", THREE)) is None


@every_task
@every_estimator
def test_fit_estimator_is_the_same_for_a_seed_however_many_threads(name: str, labels: np.ndarray) -> None:
    threads = {"n_jobs": 1} if name in ("random_forest", "extra_trees", "xgboost") else {}
    with threadpool_limits(1):
        one = _fit(name, labels, **threads)
        expected = one.predict_proba(ROWS)
    two = _fit(name, labels, **dict.fromkeys(threads, 2))
    np.testing.assert_array_equal(two.predict_proba(ROWS), expected)
    if name != "xgboost":  # whose archive names its number of threads, when it is given
        assert dumps(two) == dumps(one)


def test_logistic_regression_adds_up_many_rows_alike_in_any_number_of_threads() -> None:
    with threadpool_limits(1):
        one = fit_estimator("logistic_regression", {}, MANY, FIVE, 0).predict_proba(MANY)
    np.testing.assert_array_equal(fit_estimator("logistic_regression", {}, MANY, FIVE, 0).predict_proba(MANY), one)


def test_xgboost_starts_several_classes_from_the_same_score_not_from_a_sum_over_threads() -> None:
    untaught: dict[str, Any] = {"n_estimators": 1, "min_child_weight": 1e9}
    assert np.unique(_fit("xgboost", THREE, **untaught).predict_proba(ROWS)).tolist() == pytest.approx([1 / 3])
    assert _fit("xgboost", TWO, **untaught).predict_proba(ROWS)[0, 1] == pytest.approx(TWO.mean(), rel=1e-3)


@pytest.mark.parametrize("name", ["random_forest", "extra_trees", "svc"])
def test_fit_estimator_is_ruled_by_the_seed(name: str) -> None:
    one, other = (_fit(name, THREE, seed=seed).predict_proba(2 * ROWS[::-1]) for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_xgboost_samples_by_the_seed() -> None:
    first, again, other = (fit_estimator("xgboost", SAMPLED, ROWS, TWO, seed).predict_proba(ROWS) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@every_estimator
def test_fitted_estimator_answers_a_row_alike_alone_and_among_others(name: str) -> None:
    estimator = _fit(name, THREE)
    alone = np.vstack([estimator.predict_proba(ROWS[row : row + 1]) for row in range(50)])
    np.testing.assert_allclose(alone, estimator.predict_proba(ROWS)[:50], rtol=0, atol=1e-12)


def test_logistic_regression_answers_in_double_precision() -> None:
    estimator = fit_estimator("logistic_regression", {}, MANY[:2000], FIVE[:2000], 0)
    alone = np.vstack([estimator.predict_proba(MANY[row : row + 1]) for row in range(50)])
    assert alone.dtype == np.float64
    np.testing.assert_allclose(alone, estimator.predict_proba(MANY)[:50], rtol=0, atol=1e-12)


@every_task
@every_estimator
def test_fitted_estimator_survives_storage(name: str, labels: np.ndarray) -> None:
    estimator = _fit(name, labels)
    archive = dumps(estimator)
    np.testing.assert_array_equal(loads(archive).predict_proba(ROWS), estimator.predict_proba(ROWS))
    assert dumps(loads(archive)) == archive


@every_estimator
def test_fit_estimator_takes_a_class_of_one_row(name: str) -> None:
    labels = THREE.copy()
    labels[7] = 3
    assert _fit(name, labels).predict_proba(ROWS).shape == (400, 4)


def test_fit_estimator_refuses_what_does_not_converge() -> None:
    with pytest.raises(ValueError, match=r"logistic_regression with \{'max_iter': 1\} does not converge on 400 rows"):
        _fit("logistic_regression", THREE, max_iter=1)


def test_svc_refuses_rows_that_leave_none_to_calibrate_on() -> None:
    with pytest.raises(ValueError, match="a class of five or more; its 6 rows"):
        fit_estimator("svc", {}, ROWS[:6], np.array([0, 0, 0, 1, 1, 1], dtype=np.int8), 0)


def test_svc_is_calibrated_on_a_fifth_of_the_rows_of_each_class() -> None:
    folds = _fit("svc", THREE).cv.test_fold  # type: ignore[attr-defined]
    for label, rows in enumerate(np.bincount(THREE)):
        assert (folds[label == THREE] == 0).sum() == int(0.2 * rows)
