"""Tests of converting classifiers and of running what comes out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from xgboost import XGBClassifier

from mlops_assets.ml.onnx_classifier import OnnxClassifier
from mlops_assets.ml.onnx_export import to_onnx

ROWS = np.random.default_rng(0).normal(size=(600, 5)).astype(np.float32)
THREE = np.digitize(ROWS[:, 0] + ROWS[:, 1] * ROWS[:, 2], [-0.5, 0.5])
TWO = (THREE == 1).astype(int)
ESTIMATORS: dict[str, Callable[[], Any]] = {
    "logistic": LogisticRegression,
    "forest": lambda: RandomForestClassifier(30, max_depth=7, random_state=0),
    "extra": lambda: ExtraTreesClassifier(30, random_state=0),
    "stump": lambda: RandomForestClassifier(1, max_depth=1, random_state=0),
    "xgboost": lambda: XGBClassifier(n_estimators=80, max_depth=6),
}


def _converted(estimator: Any) -> OnnxClassifier:
    return OnnxClassifier().load(to_onnx(estimator, ROWS.shape[1]))


@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_converted_classifier_agrees(name: str, labels: np.ndarray) -> None:
    estimator = ESTIMATORS[name]().fit(ROWS[:400], labels[:400])

    found, expected = _converted(estimator).predict_proba(ROWS), estimator.predict_proba(ROWS)

    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


def test_forest_decides_as_scikit_learn_on_each_side_of_a_threshold() -> None:
    forest = RandomForestClassifier(10, random_state=0).fit(ROWS, THREE)
    tree = forest.estimators_[0].tree_
    thresholds = tree.threshold[tree.feature == 0].astype(np.float32)
    near = np.concatenate([np.nextafter(thresholds, np.float32(-np.inf)), thresholds, np.nextafter(thresholds, np.float32(np.inf))])
    rows = np.tile(ROWS[:1], (len(near), 1))
    rows[:, 0] = near

    np.testing.assert_allclose(_converted(forest).predict_proba(rows), forest.predict_proba(rows), rtol=0, atol=1e-7)


def test_boosted_margins_are_summed_in_xgboosts_order() -> None:
    estimator = XGBClassifier(n_estimators=300, max_depth=6, base_score=None).fit(ROWS, THREE)

    found = _converted(estimator).predict_proba(ROWS)

    np.testing.assert_allclose(found, estimator.predict_proba(ROWS), rtol=0, atol=3e-7)


def test_estimator_without_a_conversion_raises() -> None:
    class Unheard(LogisticRegression):  # type: ignore[misc]
        """Nobody converts it."""

    with pytest.raises(Exception, match="Unheard"):
        to_onnx(Unheard().fit(ROWS, TWO), ROWS.shape[1])


def test_converting_is_silent(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    to_onnx(HistGradientBoostingClassifier(max_iter=2).fit(ROWS, TWO), ROWS.shape[1])

    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_many_threads_may_ask_at_once() -> None:
    classifier = _converted(RandomForestClassifier(20, random_state=0).fit(ROWS, THREE))
    expected = classifier.predict_proba(ROWS)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda row: classifier.predict_proba(ROWS[row : row + 1])[0], range(len(ROWS))))

    np.testing.assert_array_equal(found, expected)
