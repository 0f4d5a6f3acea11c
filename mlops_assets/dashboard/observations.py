"""A sample of observations as a frame, and which of its columns a chart can show. Pure."""

from collections.abc import Sequence

import pandas as pd

from mlops_assets.dashboard.answers import Sample
from mlops_assets.domain import TabularDomain

MOST_CATEGORIES = 60
"""A column of text with more values than that is no category."""
TELLING_PAIRS = (("elevation", "slope"), ("longitude", "latitude"))
"""Columns that are looked at together first, where both are there."""


def to_frame(sample: Sample) -> pd.DataFrame:
    """One row an observation; columns typed by their values."""
    return pd.DataFrame(sample.columns).infer_objects()


def labels_of(frame: pd.DataFrame, domain: TabularDomain | None) -> pd.Series | None:
    """The class code of every row, missing where it has none; None if the target is not known or not in the frame."""
    if domain is None or domain.target not in frame:
        return None
    return frame[domain.target].astype("boolean" if not domain.classes else "Int64").astype("Int64")


def numeric_columns(frame: pd.DataFrame, domain: TabularDomain | None) -> list[str]:
    """Measured numbers with more than one value."""
    numbers = frame.select_dtypes("number").columns
    return [str(name) for name in numbers if name not in _bookkeeping(domain) and frame[name].nunique() > 1]


def plottable_columns(frame: pd.DataFrame, domain: TabularDomain | None) -> list[str]:
    """Numbers first, then columns with few enough other values."""
    numbers = numeric_columns(frame, domain)
    others = [str(name) for name in frame.columns if name not in numbers and name not in _bookkeeping(domain)]
    return [*numbers, *(name for name in others if 1 <= frame[name].nunique() <= MOST_CATEGORIES)]


def default_pair(numeric: Sequence[str]) -> tuple[str, str]:
    """The two numeric columns to begin with."""
    return next((pair for pair in TELLING_PAIRS if set(pair) <= set(numeric)), (numeric[0], numeric[1]))


def _bookkeeping(domain: TabularDomain | None) -> set[str]:
    """Columns that say which row it is and what it is, not what was measured."""
    if domain is None:
        return set()
    partition = {domain.table(domain.observations).partition_column} if domain.observations else set()
    return {domain.id_column, domain.time_column, domain.target, *partition}
