"""Enriched columns to numbers, by what training rows teach. Scaling, balancing and selecting are stages of their own."""

import logging
from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mlops_assets.domain import Features

logger = logging.getLogger(__name__)

Columns = pd.DataFrame | Mapping[str, np.ndarray]
Codebook = dict[str | None, int]

FOLDS = 5
"""Parts of the training rows; the target encoding of one part comes from the others."""

SMOOTHING = 10.0
"""Rows' worth of the overall mean that every target encoding is mixed with."""

MISSING, UNSEEN = 0, -1
"""Codes of a missing value and of one that training did not have; the others count from 1."""

DERIVED = ("columns", "_substitutes", "_codebooks", "_one_hot")
"""What an encoder works out of its fitted state when it is first needed; it is not stored."""


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
    """Encodes enriched columns as `features` declares, with medians, frequencies and target means of the training rows.

    A missing number becomes the training median (0 without one; a negative number under a logarithm counts as missing), a missing
    cyclic value the centre of its circle, a missing flag 0; a missing category is a category of its own.

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
        """Learn from the training rows and encode them, in the form of `transform`.

        Target means are cross-fitted: a row's own target, and its fold's, has no part in its encoding. The folds are stratified
        and depend on the seed and the order of the rows. Raises ValueError on fewer than two rows, and where a target is to be averaged
        that is not 0 or 1.
        """
        if len(train) < 2:
            raise ValueError(f"an encoder needs two training rows or more; got {len(train)}")
        outcome = train[self.target].to_numpy(dtype=np.float64)
        if self.features.target and not np.isin(outcome, (0, 1)).all():
            raise ValueError(f"target encodings need a target of two classes, 0 and 1; {self.target} has others")
        self.medians = {column: _median(_numbers(train[column])) for column in self.features.numeric}
        self.medians |= {column: _median(_non_negative(_numbers(train[column]))) for column in self.features.log1p}
        categorical = dict.fromkeys(chain(self.features.frequency, *self.features.target))
        self.vocabularies = {column: np.unique(_texts(train[column].dropna().unique())) for column in categorical}
        for derived in DERIVED:
            vars(self).pop(derived, None)
        codes = self._codes(train)
        self.frequencies = {
            column: np.bincount(codes[column], minlength=len(self.vocabularies[column]) + 1) / len(train)
            for column in self.features.frequency
        }
        folds = _stratified_folds(outcome, self.seed)
        crossed = []
        for columns in self.features.target:
            name = _target_column(columns)
            self.target_keys[name], groups = np.unique(self._cross(codes, columns), return_inverse=True)
            self.target_means[name] = _smoothed_means(groups, outcome)
            crossed.append(_cross_fitted_means(groups, outcome, folds))
        self.target_prior = float(outcome.mean())
        logger.info("fitted encodings of %d features on %d rows", len(self.columns), len(train))
        return self._frame(train, self._matrix(train, codes, crossed))

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Encode rows that took no part in fitting. Frequency 0 and the overall target mean stand for what training did not have.

        The answer holds the id and the target (int8) where `frame` has them, then `columns` as float64 without missing values.
        """
        return self._frame(frame, self.encode(frame))

    def encode(self, columns: Columns) -> np.ndarray:
        """float64[n, columns] without missing values: what `transform` gives, from arrays or from a frame.

        Arrays are float64[n] with NaN, or object[n] of str and None. KeyError if a column is not there.
        """
        codes = self._codes(columns)
        means = []
        for crossed in self.features.target:
            name = _target_column(crossed)
            positions = _positions(self._cross(codes, crossed), self.target_keys[name])
            means.append(np.append(self.target_means[name], self.target_prior)[positions])
        return self._matrix(columns, codes, means)

    @cached_property
    def columns(self) -> list[str]:
        """`feature_columns(features)`."""
        return feature_columns(self.features)

    @cached_property
    def _substitutes(self) -> np.ndarray:
        """float64[numbers, 1]: what stands for each missing number."""
        return np.array([self.medians[column] for column in (*self.features.numeric, *self.features.log1p)]).reshape(-1, 1)

    @cached_property
    def _codebooks(self) -> dict[str, Codebook]:
        """For each column with a vocabulary, text -> code."""
        return {
            column: {None: MISSING} | {text: code for code, text in enumerate(vocabulary.tolist(), 1)}
            for column, vocabulary in self.vocabularies.items()
        }

    @cached_property
    def _one_hot(self) -> dict[str, Codebook]:
        """For each one-hot column, text -> place among its categories; what is missing is nowhere, as is what is unseen."""
        return {
            column: {None: UNSEEN} | {category: place for place, category in enumerate(categories)}
            for column, categories in self.features.one_hot.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in DERIVED}

    def _codes(self, columns: Columns) -> dict[str, np.ndarray]:
        if isinstance(columns, pd.DataFrame):
            return {column: _codes(columns[column], vocabulary) for column, vocabulary in self.vocabularies.items()}
        return {column: _looked_up(columns[column], codebook) for column, codebook in self._codebooks.items()}

    def _cross(self, codes: dict[str, np.ndarray], columns: tuple[str, ...]) -> np.ndarray:
        """One number for each combination of values, in mixed radix; UNSEEN where a column is."""
        key = codes[columns[0]]
        for column in columns[1:]:
            crossed = key * (len(self.vocabularies[column]) + 1) + codes[column]
            key = np.where((key == UNSEEN) | (codes[column] == UNSEEN), UNSEEN, crossed)
        return key

    def _matrix(self, columns: Columns, codes: dict[str, np.ndarray], target_means: list[np.ndarray]) -> np.ndarray:
        """float64[n, columns], each column contiguous: few NumPy calls for one row, one pass over each column for many."""
        features = self.features
        rows = len(columns) if isinstance(columns, pd.DataFrame) else len(next(iter(columns.values())))
        block = np.zeros((len(self.columns), rows))
        measured = (*features.numeric, *features.log1p)
        for place, column in enumerate(measured):
            block[place] = _numbers(columns[column])
        at = len(measured)
        numbers, logarithms = block[:at], block[len(features.numeric) : at]
        logarithms[:] = _non_negative(logarithms)
        _impute(numbers, self._substitutes)
        np.log1p(logarithms, out=logarithms)
        for column, period in features.cyclic.items():
            angle = _numbers(columns[column]) * (2 * np.pi / period)
            np.sin(angle, out=block[at])
            np.cos(angle, out=block[at + 1])
            _impute(block[at : at + 2], 0.0)
            at += 2
        for column, codebook in self._one_hot.items():
            places = _looked_up(columns[column], codebook)
            known = np.flatnonzero(places >= 0)
            block[at + places[known], known] = 1.0
            at += len(features.one_hot[column])
        for place, column in enumerate(features.flags, at):
            block[place] = _numbers(columns[column])
            _impute(block[place], 0.0)
        at += len(features.flags)
        for place, column in enumerate(features.frequency, at):
            block[place] = np.append(self.frequencies[column], 0.0)[codes[column]]
        at += len(features.frequency)
        for place, means in enumerate(target_means, at):
            block[place] = means
        return block.T

    def _frame(self, frame: pd.DataFrame, matrix: np.ndarray) -> pd.DataFrame:
        encoded = pd.DataFrame(matrix, columns=self.columns, copy=False)
        if self.target in frame:
            encoded.insert(0, self.target, frame[self.target].to_numpy(dtype=np.int8))
        if self.id_column in frame:
            encoded.insert(0, self.id_column, frame[self.id_column].array)
        return encoded


def _target_column(columns: tuple[str, ...]) -> str:
    return "_x_".join(columns) + "_target"


def _numbers(column: pd.Series | np.ndarray) -> np.ndarray:
    return column if isinstance(column, np.ndarray) else column.to_numpy(dtype=np.float64, na_value=np.nan)


def _non_negative(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, values, np.nan)


def _median(values: np.ndarray) -> float:
    present = values[~np.isnan(values)]
    return float(np.median(present)) if len(present) else 0.0


def _impute(values: np.ndarray, substitute: np.ndarray | float) -> None:
    np.copyto(values, substitute, where=np.isnan(values))


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


def _looked_up(column: pd.Series | np.ndarray, codebook: Codebook) -> np.ndarray:
    """int64[n]: the same by a dictionary, which suits few values or a small vocabulary."""
    if isinstance(column, np.ndarray):
        return np.array([codebook.get(value, UNSEEN) for value in column], dtype=np.int64)
    codes, distinct = pd.factorize(column)
    return np.array([*_looked_up(_texts(distinct), codebook), codebook[None]], dtype=np.int64)[codes]


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
