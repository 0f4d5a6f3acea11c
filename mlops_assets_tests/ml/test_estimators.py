import numpy as np
import pytest

from mlops_assets.ml.estimators import ESTIMATORS, build_estimator

ROWS = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32)
LABELS = (ROWS[:, 0] + 0.5 * ROWS[:, 1] > 0).astype(np.int8)
SAMPLED = {"n_estimators": 10, "max_depth": 3, "subsample": 0.7, "colsample_bytree": 0.5}


def test_build_estimator_refuses_an_unknown_name() -> None:
    with pytest.raises(ValueError, match="no estimator 'magic'; there are: xgboost"):
        build_estimator("magic", {}, 0)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_build_estimator_learns_and_gives_importances(name: str) -> None:
    estimator = build_estimator(name, {"n_estimators": 10}, 0).fit(ROWS, LABELS)
    predicted = estimator.predict_proba(ROWS)[:, 1] > 0.5
    assert (predicted == LABELS).mean() > 0.95
    assert np.argmax(estimator.feature_importances_) == 0
    assert estimator.feature_importances_.sum() == pytest.approx(1)


def test_build_estimator_is_ruled_by_the_seed() -> None:
    first, again, other = (build_estimator("xgboost", SAMPLED, seed).fit(ROWS, LABELS).predict_proba(ROWS) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_build_estimator_does_not_depend_on_the_number_of_threads() -> None:
    one, two = (build_estimator("xgboost", {**SAMPLED, "n_jobs": jobs}, 0).fit(ROWS, LABELS).predict_proba(ROWS) for jobs in (1, 2))
    np.testing.assert_array_equal(one, two)
