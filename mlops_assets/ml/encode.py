"""Enriched columns to numbers, by what training rows teach. Scaling, balancing and selecting are stages of their own."""

import logging
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mlops_assets.domain import Features

logger = logging.getLogger(__name__)

FOLDS = 5
"""Parts of the training rows; the target encoding of one part comes from the others."""

SMOOTHING = 10.0
"""Rows' worth of the overall mean that every target encoding is mixed with."""

MISSING, UNSEEN = 0, -1
"""Codes of a missing value and of one that training did not have; the others count from 1."""


def feature_columns(features: Features, encodings: tuple[str, ...] = ("plain", "target")) -> list[str]:
    """Names of the encoded columns of the given encodings, in the order in which an encoded frame has them."""
    return list(feature_sources(features, encodings))


def feature_sources(features: Features, encodings: tuple[str, ...] = ("plain", "target")) -> dict[str, tuple[str, ...]]:
    """Encoded column -> the enriched columns it is made of, in the order of `feature_columns`."""
    plain = {
        **{column: (column,) for column in features.numeric},
        **{f"{column}_log1p": (column,) for column in features.log1p},
        **{f"{column}_{part}": (column,) for column in features.cyclic for part in ("sin", "cos")},
        **{f"{column}_{category}": (column,) for column, categories in features.one_hot.items() for category in categories},
        **{column: (column,) for column in features.flags},
        **{f"{column}_freq": (column,) for column in features.frequency},
    }
    target = {_target_column(columns): columns for columns in features.target}
    return (plain if "plain" in encodings else {}) | (target if "target" in encodings else {})


class FeatureEncoder:
    """Encodes enriched frames as `features` declares, with medians, frequencies and target means of the training rows.

    Encoded frames hold the id and the target (int8) where the input has them, then `feature_columns(features)` as float64 without
    missing values. A missing number becomes the training median (0 without one; a negative number under a logarithm counts as
    missing), a missing cyclic value the centre of its circle, a missing flag 0; a missing category is a category of its own.

    Fitted state is plain: dictionaries of floats and of sorted NumPy arrays.
    """

    def __init__(self, features: Features, target: str, id_column: str, seed: int = 42) -> None:
        self.features = features
        self.target = target
        self.id_column = id_column
        self.seed = seed
        self.medians: dict[str, float] = {}
        self.vocabularies: dict[str, np.ndarray] = {}
        self.frequencies: dict[str, np.ndarray] = {}
        self.target_keys: dict[str, np.ndarray] = {}
        self.target_means: dict[str, np.ndarray] = {}
        self.target_prior = 0.0

    def fit_transform(self, train: pd.DataFrame) -> pd.DataFrame:
        """Learn from the training rows and encode them.

        Target means are cross-fitted: a row's own target, and its fold's, has no part in its encoding. The folds are stratified
        and depend on the seed and the order of the rows. Raises ValueError on fewer than two rows.
        """
        if len(train) < 2:
            raise ValueError(f"an encoder needs two training rows or more; got {len(train)}")
        outcome = train[self.target].to_numpy(dtype=np.float64)
        self.medians = {column: _median(_numbers(train[column])) for column in self.features.numeric}
        self.medians |= {column: _median(_non_negative(train[column])) for column in self.features.log1p}
        categorical = dict.fromkeys(chain(self.features.frequency, *self.features.target))
        self.vocabularies = {column: np.unique(_texts(train[column].dropna().unique())) for column in categorical}
        codes = self._codes(train)
        self.frequencies = {
            column: np.bincount(codes[column], minlength=len(self.vocabularies[column]) + 1) / len(train)
            for column in self.features.frequency
        }
        folds = _stratified_folds(outcome, self.seed)
        crossed = {}
        for columns in self.features.target:
            name = _target_column(columns)
            self.target_keys[name], groups = np.unique(self._cross(codes, columns), return_inverse=True)
            self.target_means[name] = _smoothed_means(groups, outcome)
            crossed[name] = _cross_fitted_means(groups, outcome, folds)
        self.target_prior = float(outcome.mean())
        logger.info("fitted encodings of %d features on %d rows", len(feature_columns(self.features)), len(train))
        return self._encoded(train, codes, crossed)

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Encode rows that took no part in fitting. Frequency 0 and the overall target mean stand for what training did not have."""
        codes = self._codes(frame)
        means = {}
        for columns in self.features.target:
            name = _target_column(columns)
            positions = _positions(self._cross(codes, columns), self.target_keys[name])
            means[name] = np.append(self.target_means[name], self.target_prior)[positions]
        return self._encoded(frame, codes, means)

    def _codes(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        return {column: _codes(frame[column], vocabulary) for column, vocabulary in self.vocabularies.items()}

    def _cross(self, codes: dict[str, np.ndarray], columns: tuple[str, ...]) -> np.ndarray:
        """One number for each combination of values, in mixed radix; UNSEEN where a column is."""
        key = codes[columns[0]]
        for column in columns[1:]:
            crossed = key * (len(self.vocabularies[column]) + 1) + codes[column]
            key = np.where((key == UNSEEN) | (codes[column] == UNSEEN), UNSEEN, crossed)
        return key

    def _encoded(self, frame: pd.DataFrame, codes: dict[str, np.ndarray], target_means: dict[str, np.ndarray]) -> pd.DataFrame:
        features = self.features
        columns: dict[str, pd.Series | np.ndarray] = {}
        if self.id_column in frame:
            columns[self.id_column] = frame[self.id_column].reset_index(drop=True)
        if self.target in frame:
            columns[self.target] = frame[self.target].to_numpy(dtype=np.int8)
        for column in features.numeric:
            columns[column] = _imputed(_numbers(frame[column]), self.medians[column])
        for column in features.log1p:
            columns[f"{column}_log1p"] = np.log1p(_imputed(_non_negative(frame[column]), self.medians[column]))
        for column, period in features.cyclic.items():
            angle = _numbers(frame[column]) * (2 * np.pi / period)
            columns[f"{column}_sin"], columns[f"{column}_cos"] = _imputed(np.sin(angle), 0.0), _imputed(np.cos(angle), 0.0)
        for column, categories in features.one_hot.items():
            vocabulary = np.unique(categories)
            known = _codes(frame[column], vocabulary)
            for category in categories:
                columns[f"{column}_{category}"] = (known == 1 + np.searchsorted(vocabulary, category)).astype(np.float64)
        for column in features.flags:
            columns[column] = _imputed(_numbers(frame[column]), 0.0)
        for column in features.frequency:
            columns[f"{column}_freq"] = np.append(self.frequencies[column], 0.0)[codes[column]]
        return pd.DataFrame(columns | target_means, copy=False)


def _target_column(columns: tuple[str, ...]) -> str:
    return "_x_".join(columns) + "_target"


def _numbers(column: pd.Series) -> np.ndarray:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _non_negative(column: pd.Series) -> np.ndarray:
    values = _numbers(column)
    return np.where(values >= 0, values, np.nan)


def _median(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return float(np.median(present)) if len(present) else 0.0


def _imputed(values: np.ndarray, substitute: float) -> np.ndarray:
    return np.where(np.isnan(values), substitute, values)


def _texts(values: ArrayLike) -> np.ndarray:
    """A NumPy array of the values as text; in such arrays comparing and searching need no Python object."""
    return np.asarray(values, dtype=object).astype(np.str_)


def _positions(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Where each value stands in the sorted array, -1 where it does not."""
    if not len(ordered):
        return np.full(len(values), -1)
    found = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    return np.where(ordered[found] == values, found, -1)


def _codes(column: pd.Series, vocabulary: np.ndarray) -> np.ndarray:
    """int64[n]: MISSING, UNSEEN, or 1 + the value's place in the sorted vocabulary. Each distinct value is looked up once."""
    codes, distinct = pd.factorize(column)
    positions = _positions(_texts(distinct), vocabulary)
    by_code = np.append(np.where(positions < 0, UNSEEN, positions + 1), MISSING)
    return by_code[codes]


def _stratified_folds(outcome: np.ndarray, seed: int) -> np.ndarray:
    """int64[n]: a fold for each row, so that the folds share the rows of every outcome evenly."""
    order = np.random.default_rng(seed).permutation(len(outcome))
    folds = np.empty(len(outcome), dtype=np.int64)
    folds[order[np.argsort(outcome[order], kind="stable")]] = np.arange(len(outcome)) % FOLDS
    return folds


def _smoothed_means(groups: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """float64[groups]: the mean outcome of each group, mixed with SMOOTHING rows of the overall mean."""
    means: np.ndarray = (np.bincount(groups, outcome) + SMOOTHING * outcome.mean()) / (np.bincount(groups) + SMOOTHING)
    return means


def _cross_fitted_means(groups: np.ndarray, outcome: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """float64[n]: for each row the smoothed mean of its group over the other folds; their overall mean where they lack the group."""
    size = groups.max() + 1
    means = np.empty(len(groups))
    for fold in np.unique(folds):
        rows = folds == fold
        others = outcome[~rows]
        counts = np.bincount(groups[~rows], minlength=size)
        sums = np.bincount(groups[~rows], others, minlength=size)
        means[rows] = ((sums + SMOOTHING * others.mean()) / (counts + SMOOTHING))[groups[rows]]
    return means
