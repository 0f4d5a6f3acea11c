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
from mlops_assets.ml.estimators import Estimator, fit_estimator, importances
from mlops_assets.ml.split import stratified_mask

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedModel:
    """A fitted classifier over scaled frames. A row of a binary one is positive when its probability reaches `threshold`."""

    estimator: Estimator
    columns: list[str]
    """The columns it reads, in the estimator's order."""
    candidate: str
    params: dict[str, Any]
    threshold: float
    classes: tuple[int, ...] = (0, 1)
    """The codes of all classes, ascending: the order of the probabilities."""
    learned: tuple[int, ...] = (0, 1)
    """Those of them that it was fitted on, in the estimator's order; any other has the probability 0."""
    rows: int = 0
    """How many rows it was fitted on."""
    available_rows: int = 0
    """How many there were. It was fitted on fewer if its candidate takes no more than `max_rows`."""

    def predict_probabilities(self, frame: pd.DataFrame) -> np.ndarray:
        """float64[n, classes]. Reads `columns` by name; others may be there. KeyError if one is not."""
        return self.probabilities_of(_matrix(frame, self.columns))

    def probabilities_of(self, matrix: np.ndarray) -> np.ndarray:
        """float64[n, classes] of rows float32[n, columns]."""
        return self.in_order_of_classes(self.estimator.predict_proba(matrix))

    def in_order_of_classes(self, probabilities: np.ndarray) -> np.ndarray:
        """float64[n, classes] from the estimator's own float[n, learned]."""
        if self.learned == self.classes:
            return probabilities.astype(np.float64)
        spread = np.zeros((len(probabilities), len(self.classes)))
        spread[:, np.searchsorted(self.classes, self.learned)] = probabilities
        return spread

    @property
    def importance(self) -> dict[str, float]:
        """Each column's share, adding up to 1, as `importances` has it; greatest first, then by name. Empty where there is none."""
        found = importances(self.estimator)
        shares = [] if found is None else zip(self.columns, found.tolist(), strict=True)
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
    classes: tuple[int, ...],
) -> FittedModel:
    """Fit `candidate` with `params` on its rows and columns (see `prepare`). The same input gives the same model.

    Of more rows than `candidate.max_rows` a random sample is taken, the same share of each class but at least one row.
    Raises ValueError for an unknown estimator, one that does not converge, and everything that `prepare` refuses.
    """
    columns, rows, labels = prepare(candidate, train, balanced, selected, target, features)
    available = len(rows)
    if candidate.max_rows is not None and candidate.max_rows < available:
        counts = class_counts(labels, target)
        wanted = {label: max(1, count * candidate.max_rows // available) for label, count in counts.items()}
        sample = stratified_mask(labels, wanted, seed)
        rows, labels = rows[sample], labels[sample]
    logger.info("fitting candidate %s on %d of %d rows and %d columns", candidate.name, len(rows), available, len(columns))
    # XGBoost takes no labels but 0, 1, ... without a gap.
    learned, places = np.unique(labels, return_inverse=True)
    estimator = fit_estimator(candidate.estimator, params, rows, places.astype(np.int8), seed)
    return FittedModel(
        estimator=estimator,
        columns=columns,
        candidate=candidate.name,
        params=dict(params),
        threshold=float(threshold),
        classes=classes,
        learned=tuple(learned.tolist()),
        rows=len(rows),
        available_rows=available,
    )


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
