"""The kinds of estimator that a candidate may name: how each is built and fitted, and what it says of its features.

Which rows they are fitted on, and judging them, is not done here. Everything is ruled by the seed: the number of threads changes no bit.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no type information

from mlops_assets.ml.split import stratified_mask


class Estimator(Protocol):
    """What the platform asks of a classifier: the part of scikit-learn's interface that it calls."""

    def fit(self, rows: np.ndarray, labels: np.ndarray, /) -> Self:
        """Learn from rows float32[n, features] and their labels int8[n]."""

    def predict_proba(self, rows: np.ndarray, /) -> np.ndarray:
        """Probabilities [n, classes] of rows float32[n, features], by ascending class."""


def build_estimator(name: str, params: Mapping[str, Any], seed: int) -> Estimator:
    """An unfitted estimator of the kind `name`; ValueError names the kinds there are."""
    if name not in ESTIMATORS:
        raise ValueError(f"there is no estimator {name!r}; there are: {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name](params, seed)


def fit_estimator(name: str, params: Mapping[str, Any], rows: np.ndarray, labels: np.ndarray, seed: int) -> Estimator:
    """An estimator of the kind `name`, fitted on rows float32[n, features] and labels int8[n] out of 0, 1, ... without a gap.

    A forest comes back so that it predicts in one thread. ValueError for an unknown name, and when the estimator does not converge.
    """
    estimator: Any = build_estimator(name, params, seed)
    if name == "xgboost" and labels.max() > 1 and "base_score" not in params:
        # Left to itself it starts from the classes' shares, and the last bit of those sums depends on the number of threads.
        estimator.set_params(base_score=0.5)
    if name in SMOOTH:
        # In single precision probabilities would depend, in the seventh digit, on how many rows are asked for at once.
        rows = rows.astype(np.float64)
    if name == "svc":
        estimator = _calibrated(estimator, labels, seed)
    # In several threads the sums of linear algebra differ in their last bits, and threads that wait for others burn what they save.
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            estimator.fit(rows, labels)
        except ConvergenceWarning as warning:
            raise ValueError(f"{name} with {dict(params)} does not converge on {len(rows)} rows: {warning}") from warning
    if name in FORESTS:
        # In several threads trees are added up as they finish, and sums differ by their order.
        estimator.set_params(n_jobs=1)
    fitted: Estimator = estimator
    return fitted


def importances(estimator: Estimator) -> np.ndarray | None:
    """float64[features], adding up to 1; None for an estimator that has none.

    A feature's part in what a tree estimator gains, or in the sum of a linear one's absolute coefficients, which means something for
    features of like scale.
    """
    if (gains := getattr(estimator, "feature_importances_", None)) is not None:
        return np.asarray(gains)
    if (coefficients := getattr(estimator, "coef_", None)) is not None:
        sizes = np.abs(np.asarray(coefficients)).mean(axis=0)
        return np.asarray(sizes / (sizes.sum() or 1))
    return None


def _xgboost(params: Mapping[str, Any], seed: int) -> Estimator:
    """Gradient-boosted trees on histograms; importance is a feature's part in the whole loss reduction.

    The objective follows from the labels. `n_jobs` stays unset, so OMP_NUM_THREADS rules: the number of threads does not change the
    model. On 60,000 and on 211,711 rows of two classes, with and without sampling of rows and columns, and on 20,000 of seven, 1 to 4
    threads give the same bytes (XGBoost 3.2).
    """
    from xgboost import XGBClassifier

    return XGBClassifier(**{"tree_method": "hist", "importance_type": "total_gain", **params}, random_state=seed)


def _logistic_regression(params: Mapping[str, Any], seed: int) -> Estimator:
    """Multinomial, by Newton's method: with some hundred coefficients it is there in ten steps where L-BFGS takes hundreds."""
    from sklearn.linear_model import LogisticRegression

    estimator: Estimator = LogisticRegression(**{"solver": "newton-cholesky", "max_iter": 1000, **params}, random_state=seed)
    return estimator


def _random_forest(params: Mapping[str, Any], seed: int) -> Estimator:
    from sklearn.ensemble import RandomForestClassifier

    estimator: Estimator = RandomForestClassifier(**{"n_jobs": -1, **params}, random_state=seed)
    return estimator


def _extra_trees(params: Mapping[str, Any], seed: int) -> Estimator:
    from sklearn.ensemble import ExtraTreesClassifier

    estimator: Estimator = ExtraTreesClassifier(**{"n_jobs": -1, **params}, random_state=seed)
    return estimator


def _svc(params: Mapping[str, Any], seed: int) -> Estimator:
    """A support vector machine, by default with Gaussian kernel. Its cost grows with the square of the rows: give `max_rows`."""
    from sklearn.svm import SVC

    estimator: Estimator = SVC(**params, random_state=seed)
    return estimator


def _calibrated(estimator: Any, labels: np.ndarray, seed: int) -> Any:
    """The estimator, to be fitted on four fifths of the rows, with sigmoids fitted on the others that make probabilities of its scores.

    One fold and not several: a class of one row can be fitted, and an answer costs one machine. The rows of rare classes are fitted on.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import PredefinedSplit

    wanted = {label: int(CALIBRATION_SHARE * rows) for label, rows in enumerate(np.bincount(labels))}
    calibrates = stratified_mask(labels, wanted, seed)
    if not calibrates.any():
        raise ValueError(f"an svc is calibrated on rows of a class of five or more; its {len(labels)} rows have no such class")
    return CalibratedClassifierCV(estimator, method="sigmoid", cv=PredefinedSplit(np.where(calibrates, 0, FITTED_ON)))


ESTIMATORS: Mapping[str, Callable[[Mapping[str, Any], int], Estimator]] = {
    "xgboost": _xgboost,
    "logistic_regression": _logistic_regression,
    "random_forest": _random_forest,
    "extra_trees": _extra_trees,
    "svc": _svc,
}
"""Name in `Candidate.estimator` -> builder from parameters and seed."""

FORESTS = ("random_forest", "extra_trees")
SMOOTH = ("logistic_regression", "svc")
"""Those that answer with a continuous function of the features; trees only compare."""

CALIBRATION_SHARE = 0.2
FITTED_ON = -1
"""How `PredefinedSplit` marks rows that are never held out."""
