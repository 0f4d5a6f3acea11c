"""Which rows train the model and which rows test it. Nothing here looks at a feature."""

import hashlib
import json
import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mlops_assets.domain import Split

logger = logging.getLogger(__name__)

SPLIT = "split"
"""Column of split rows."""


class UnsplittableError(ValueError):
    """Rows that a split leaves without a class on one side; the message counts them."""


def split(frame: pd.DataFrame, spec: Split, *, id_column: str, time_column: str, target: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide `frame` into (train, test), each with the columns and the row order of `frame` and a fresh RangeIndex.

    `random` ranks the ids of each class by a hash of id and seed and tests on the lowest `test_share` of them, to the row, but a class
    of two ids or more has one on either side at least. A row's rank does not depend on the other rows, so it keeps its side from window
    to window, but for the few rows at the very cut.
    `temporal` tests on the last `test_share` of the rows; rows of the same time stand together, on the test side at the cut.
    Either way rows of one id stand on one side: they count as the class of the first of them, or at the time of the last.

    Both say in the column `split` by which split they came to be: what is judged on test rows has to know it.

    Raises ValueError with the counts when an id, a time or a target is missing, and UnsplittableError when a side lacks a class.
    """
    _require_present(frame, [id_column, time_column, target])
    is_test = _random(frame, spec, id_column, target) if spec.kind == "random" else _temporal(frame, spec, id_column, time_column)
    _require_every_class(frame[target].to_numpy(), is_test)
    logger.info("split %d rows (%s): %d train, %d test", len(frame), spec.kind, (~is_test).sum(), is_test.sum())
    marked = frame.assign(**{SPLIT: pd.array([spec.to_json()], dtype="string[pyarrow]").repeat(len(frame))})
    return marked[~is_test].reset_index(drop=True), marked[is_test].reset_index(drop=True)


def split_of(rows: pd.DataFrame) -> Split:
    """The split by which split rows came to be."""
    return Split(**json.loads(str(rows[SPLIT].iloc[0])))


def stratified_mask(labels: np.ndarray, wanted: Mapping[int, int], seed: int) -> np.ndarray:
    """bool[n]: so many random rows of each class as `wanted` says."""
    generator = np.random.default_rng(seed)
    mask = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        mask[rows[: wanted[label]]] = True
    return mask


def _random(frame: pd.DataFrame, spec: Split, id_column: str, target: str) -> np.ndarray:
    _, first, row_to_id = np.unique(_hashes(frame[id_column], spec.seed), return_index=True, return_inverse=True)
    labels = frame[target].to_numpy()[first]
    tested = np.zeros(len(first), dtype=bool)
    for label in np.unique(labels):
        ids_by_hash = np.flatnonzero(labels == label)
        tested[ids_by_hash[: _tested(len(ids_by_hash), spec.test_share)]] = True
    return tested[row_to_id]


def _tested(ids: int, share: float) -> int:
    """How many of a class's ids are tested on; neither none nor all of several, unless the share is 0 or 1."""
    wanted = round(share * ids)
    return min(max(wanted, 1), ids - 1) if 0 < share < 1 and ids > 1 else wanted


def _hashes(ids: pd.Series, seed: int) -> np.ndarray:
    """A 64-bit SipHash of every id's text, keyed by the seed: uint64[n], the same on every platform."""
    key = hashlib.blake2b(str(seed).encode(), digest_size=8).hexdigest()
    return pd.util.hash_array(ids.astype(str).to_numpy(dtype=object), hash_key=key, categorize=False)


def _temporal(frame: pd.DataFrame, spec: Split, id_column: str, time_column: str) -> np.ndarray:
    times = frame.groupby(id_column, sort=False, observed=True)[time_column].transform("max").to_numpy()
    if not len(times):
        return np.zeros(0, dtype=bool)
    wanted = max(1, round(spec.test_share * len(times)))
    return np.asarray(times >= np.sort(times)[-wanted])


def _require_present(frame: pd.DataFrame, columns: list[str]) -> None:
    missing = frame[columns].isna().sum()
    if missing.any():
        counts = ", ".join(f"{column} in {count}" for column, count in missing[missing > 0].items())
        raise ValueError(f"cannot split {len(frame)} rows with missing values: {counts}")


def _require_every_class(labels: np.ndarray, is_test: np.ndarray) -> None:
    classes = np.unique(labels)
    sides = {"train": labels[~is_test], "test": labels[is_test]}
    counts = {side: {str(label): int((rows == label).sum()) for label in classes} for side, rows in sides.items()}
    lacking = [f"{side} has no {label}" for side, rows in counts.items() for label, count in rows.items() if count == 0]
    if len(classes) < 2 or lacking:
        raise UnsplittableError(
            f"a split needs two classes or more, each with two ids or more and on both sides; these {len(labels)} rows give {counts}"
            + (f": {', '.join(lacking)}" if lacking else "")
        )
