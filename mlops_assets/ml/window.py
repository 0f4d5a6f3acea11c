"""From the enriched partitions of a window to the one frame that is split: joined, each record once, and fit to train on."""

from collections.abc import Mapping
from typing import Protocol

import pandas as pd

from mlops_assets.domain import Monthly, TabularDomain


class Enricher(Protocol):
    """What turns raw columns into enriched columns, with whatever it was fitted on."""

    def transform(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Raw columns in; the same rows with the derived columns out."""


def join_window(partitions: Mapping[str, pd.DataFrame], domain: TabularDomain) -> pd.DataFrame:
    """All rows of the window in partition order; a record that stands in several partitions counts once, as the latest has it.

    Empty partitions add nothing. ValueError, before anything is trained, for a short window, too few rows, or one class only.
    """
    if isinstance(domain.cadence, Monthly) and len(partitions) < domain.cadence.window:
        raise ValueError(
            f"{domain.name}: training reads {domain.cadence.window} partitions, but only {len(partitions)} exist up to "
            f"{max(partitions, default='the first')}; the first partition is {domain.cadence.start}. Train a later one."
        )
    counts = {}
    frames = []
    for key, frame in partitions.items():
        counts[key] = len(frame)
        if len(frame):
            frames.append(frame)
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[domain.id_column, domain.target])
    rows = rows.drop_duplicates(domain.id_column, keep="last", ignore_index=True)
    _require_trainable(rows, domain, counts)
    return rows


def enriched_alike(rows: pd.DataFrame, enricher: Enricher, derived: bool) -> pd.DataFrame:
    """The rows as `enricher` makes them; `derived` says that they all come from it already."""
    return rows if derived else enricher.transform(rows)


def _require_trainable(rows: pd.DataFrame, domain: TabularDomain, counts: Mapping[str, int]) -> None:
    by_partition = ", ".join(f"{key}: {count}" for key, count in counts.items())
    if len(rows) < domain.gates.min_rows:
        raise ValueError(f"{domain.name}: {len(rows)} rows in the window, at least {domain.gates.min_rows} are needed ({by_partition})")
    classes = rows[domain.target].value_counts()
    if len(classes) < 2:
        raise ValueError(f"{domain.name}: every {domain.target} in the window is {classes.index[0]} ({by_partition}); nothing to learn")
