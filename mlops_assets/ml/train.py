"""One candidate, fitted: which rows and columns it learns from, and the fitted classifier that is served.

Choosing between candidates is `search`; what becomes of a raw record before it reaches the classifier is `served`.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.domain import Candidate, Features
from mlops_assets.ml.encode import feature_columns
from mlops_assets.ml.estimators import Estimator, build_estimator

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedModel:
    """A fitted binary classifier over scaled frames. A row is positive when its probability reaches `threshold`."""

    estimator: Estimator
    columns: list[str]
    """The columns it reads, in the estimator's order."""
    candidate: str
    params: dict[str, Any]
    threshold: float

    def predict_probability(self, frame: pd.DataFrame) -> np.ndarray:
        """float64[n], the probability of the positive class. Reads `columns` by name; others may be there. KeyError if one is not."""
        return self.estimator.predict_proba(_matrix(frame, self.columns))[:, 1].astype(np.float64)

    @property
    def importance(self) -> dict[str, float]:
        """Each column's share in what the estimator gains by its columns, adding up to 1; greatest first, then by name."""
        shares = zip(self.columns, self.estimator.feature_importances_.tolist(), strict=True)
        return dict(sorted(shares, key=lambda share: (-share[1], share[0])))


def fit_candidate(
    candidate: Candidate,
    params: Mapping[str, Any],
    *,
    train: pd.DataFrame,
    balanced: pd.DataFrame | None,
    selected: pd.DataFrame | None,
    target: str,
    features: Features,
    seed: int,
    threshold: float,
) -> FittedModel:
    """Fit `candidate` with `params` on its rows and columns (see `prepare`). The same input gives the same model.

    Raises ValueError for an unknown estimator and for everything that `prepare` refuses.
    """
    columns, rows, labels = prepare(candidate, train, balanced, selected, target, features)
    logger.info("fitting candidate %s on %d rows and %d columns", candidate.name, *rows.shape)
    estimator = build_estimator(candidate.estimator, params, seed).fit(rows, labels)
    return FittedModel(estimator, columns, candidate.name, dict(params), float(threshold))


def prepare(
    candidate: Candidate,
    train: pd.DataFrame,
    balanced: pd.DataFrame | None,
    selected: pd.DataFrame | None,
    target: str,
    features: Features,
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """What `candidate` is fitted on: column names, rows float32[n, columns] and labels int8[n].

    The rows are those of `balanced` where the candidate balances, else of the scaled `train`; the columns are those of its encodings,
    where it selects only the selected ones. Raises ValueError when a frame that it needs is None, when it wants a column that
    balanced rows or scores do not have, when no column is selected, or when the rows are of one class.
    """
    columns = feature_columns(features, candidate.encodings)
    if candidate.select:
        columns = _selected(columns, _required(selected, "selected features", candidate))
    frame = _required(balanced, "balanced rows", candidate) if candidate.balance else train
    if missing := [column for column in columns if column not in frame]:
        raise ValueError(f"candidate {candidate.name!r} needs columns that its rows do not have: {', '.join(missing)}")
    labels = frame[target].to_numpy(dtype=np.int8)
    class_counts(labels, target)
    return columns, _matrix(frame, columns), labels


def class_counts(labels: np.ndarray, target: str) -> dict[int, int]:
    """Rows of each class; ValueError, with the count, when they are all of one class or there are none."""
    classes, counts = np.unique(labels, return_counts=True)
    by_class = {int(label): int(count) for label, count in zip(classes, counts, strict=True)}
    if len(by_class) < 2:
        raise ValueError(f"nothing to learn: {len(labels)} training rows do not have two classes of {target} (rows by class: {by_class})")
    return by_class


def _selected(columns: list[str], table: pd.DataFrame) -> list[str]:
    if unscored := set(columns).difference(table["feature"]):
        raise ValueError(f"features without a score cannot be selected: {', '.join(sorted(unscored))}")
    chosen = set(table.loc[table["selected"], "feature"])
    if not chosen:
        raise ValueError(f"none of {len(table)} features is selected; the best scores {table['mutual_information'].max():.4f}")
    return [column for column in columns if column in chosen]


def _required(frame: pd.DataFrame | None, what: str, candidate: Candidate) -> pd.DataFrame:
    if frame is None:
        raise ValueError(f"candidate {candidate.name!r} needs {what}")
    return frame


def _matrix(frame: pd.DataFrame, columns: list[str]) -> np.ndarray:
    # XGBoost bins and compares in single precision: float32 halves the memory and changes no result.
    return frame[columns].to_numpy(dtype=np.float32)
