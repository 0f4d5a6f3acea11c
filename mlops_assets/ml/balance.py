"""Evening out the classes of the training rows. Test rows and served records never come here."""

import logging
from typing import Self

import numpy as np
import pandas as pd
from scipy.spatial import KDTree
from sklearn.neighbors import NearestNeighbors

from mlops_assets.domain import Balance

logger = logging.getLogger(__name__)


class TreeNeighbours(NearestNeighbors):  # type: ignore[misc]  # scikit-learn ships no type information
    """Euclidean neighbours by SciPy's k-d tree, as SMOTE asks for them.

    Encoded rows lie in few dimensions, whatever the number of columns: the tree takes a quarter of the time that scikit-learn, which
    measures all pairs from 16 columns on, takes for a year of crimes. The neighbours are the same but for which of several at one distance.
    """

    def fit(self, rows: np.ndarray, _: object = None) -> Self:
        """Builds the tree of `rows` float64[n, columns]."""
        self.tree_ = KDTree(rows)
        return self

    def kneighbors(self, rows: np.ndarray, return_distance: bool = True) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
        """Distances float64[n, k] and positions int64[n, k] of the k = `n_neighbors` nearest, or the positions alone."""
        # SMOTE asks for all rows of the tree: in its own order a row finds the nodes that it needs in the processor's cache.
        order = self.tree_.indices if len(rows) == self.tree_.n else np.arange(len(rows))
        distances, positions = np.empty((len(rows), self.n_neighbors)), np.empty((len(rows), self.n_neighbors), dtype=np.int64)
        distances[order], positions[order] = self.tree_.query(rows[order], self.n_neighbors)
        return (distances, positions) if return_distance else positions


def balance(train: pd.DataFrame, spec: Balance, *, target: str, columns: list[str]) -> pd.DataFrame:
    """SMOTE up to minority/majority = `spec.oversample`, then leave out random majority rows up to `spec.undersample`.

    A step whose ratio the rows already have is skipped. Takes encoded, scaled rows of two classes and gives [target (int8),
    columns (float64)], the order of rows being a function of the input and the seed. Raises ValueError when there are not two
    classes, or not more minority rows than `spec.neighbours` for SMOTE to join.
    """
    from imblearn.over_sampling import SMOTE
    from imblearn.under_sampling import RandomUnderSampler

    rows, labels = train[columns].to_numpy(dtype=np.float64), train[target].to_numpy(dtype=np.int8)
    minority, majority = _class_counts(labels)
    if minority / majority >= spec.oversample:
        logger.info("no over-sampling: %d/%d rows are balanced to %s already", minority, majority, spec.oversample)
    else:
        if minority <= spec.neighbours:
            raise ValueError(f"SMOTE with {spec.neighbours} neighbours needs more minority rows than that; there are {minority}")
        neighbours = TreeNeighbours(n_neighbors=spec.neighbours + 1)  # the nearest to a row is the row itself
        smote = SMOTE(sampling_strategy=spec.oversample, k_neighbors=neighbours, random_state=spec.seed)
        rows, labels = smote.fit_resample(rows, labels)
        minority, majority = _class_counts(labels)
    if minority / majority >= spec.undersample:
        logger.info("no under-sampling: %d/%d rows are balanced to %s already", minority, majority, spec.undersample)
    else:
        rows, labels = RandomUnderSampler(sampling_strategy=spec.undersample, random_state=spec.seed).fit_resample(rows, labels)
    logger.info("balanced %d training rows to %d", len(train), len(labels))
    balanced = pd.DataFrame(rows, columns=columns)
    balanced.insert(0, target, labels.astype(np.int8))
    return balanced


def _class_counts(labels: np.ndarray) -> tuple[int, int]:
    """(minority, majority) rows."""
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) != 2:
        raise ValueError(f"balancing needs rows of two classes; these {len(labels)} rows have {len(counts)}")
    return int(counts.min()), int(counts.max())
