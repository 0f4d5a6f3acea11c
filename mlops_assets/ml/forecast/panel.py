"""Long hourly history as one grid: an hour a row, a series a column, and what of it counts as data.

Here belong gaps, frozen feeds and stuck series. A value that was filled in exists only inside the method that needs complete series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import pandas as pd

HOUR = pd.Timedelta(hours=1)
WEEK_HOURS = 168
OBSERVED, GAP, FROZEN = "observed", "gap", "frozen"


class FrozenFeedError(ValueError):
    """The history ends with a feed that has stood still since `since` (UTC): nothing is to be forecast from it."""

    def __init__(self, since: datetime) -> None:
        super().__init__(f"the feed is frozen: no series has moved since {since:%Y-%m-%d %H:%M} UTC")
        self.since = since


@dataclass(frozen=True)
class Panel:
    """Hours (UTC, without holes) by series. `raw` holds what was read, NaN in a gap; `None` among `ids` is the total."""

    hours: pd.DatetimeIndex
    ids: tuple[str | None, ...]
    raw: np.ndarray
    frozen_hours: int

    @cached_property
    def run_starts(self) -> np.ndarray:
        """For each hour the row in which the present run of equal readings began; a gap does not end a run. -1 before any reading.

        Nor does a series that is missing or comes back: only a value that differs from its own last one is a movement.
        """
        starts = np.full(len(self.raw), -1)
        rows = np.flatnonzero(self.is_read)
        if len(rows):
            now = pd.DataFrame(self.raw[rows][:, self._moving])
            before = now.ffill().shift()
            moved = (now.notna() & before.notna() & (now != before)).any(axis=1).to_numpy()
            starts[rows] = np.maximum.accumulate(np.where(np.r_[True, moved[1:]], rows, 0))
        return starts

    @cached_property
    def is_read(self) -> np.ndarray:
        """Hours with any reading."""
        return np.asarray(~np.isnan(self.raw).all(axis=1))

    @cached_property
    def is_frozen(self) -> np.ndarray:
        """Hours of a run of at least `frozen_hours` readings in which nothing moves, but for the run's first."""
        read = np.flatnonzero(self.is_read)
        lengths = np.zeros(len(self.raw), dtype=int)
        np.add.at(lengths, self.run_starts[read], 1)
        frozen = np.zeros(len(self.raw), dtype=bool)
        frozen[read] = (lengths[self.run_starts[read]] >= self.frozen_hours) & (self.run_starts[read] != read)
        return frozen

    @cached_property
    def values(self) -> np.ndarray:
        """What counts as data: `raw`, NaN where the feed was frozen too."""
        return np.where(self.is_frozen[:, None], np.nan, self.raw)

    @cached_property
    def observed(self) -> np.ndarray:
        """Hours of each series that count as data."""
        return np.asarray((~np.isnan(self.values)).sum(axis=0))

    @property
    def frozen_since(self) -> datetime | None:
        """The first hour of the frozen run that the last reading belongs to; None if the feed moves."""
        read = np.flatnonzero(self.is_read)
        if not len(read) or not self.is_frozen[read[-1]]:
            return None
        since: datetime = self.hours[self.run_starts[read[-1]]].to_pydatetime()
        return since

    @property
    def total(self) -> int:
        """The column of the total."""
        return self.ids.index(None)

    def until(self, rows: int) -> "Panel":
        """The first `rows` hours, and what was known then: a freeze that had not lasted long enough yet was not known as one."""
        return Panel(self.hours[:rows], self.ids, self.raw[:rows], self.frozen_hours)

    def only(self, columns: np.ndarray) -> "Panel":
        """The data of some series. What is frozen stays so: a few series alone are not judged again."""
        return Panel(self.hours, tuple(self.ids[column] for column in columns), self.values[:, columns], len(self.hours) + 1)

    def is_stuck(self, hours: int) -> np.ndarray:
        """Series, not the total, whose data of the last `hours` hours that count do not move, at least half as many as that."""
        counted = np.flatnonzero(~np.isnan(self.values).all(axis=1))[-hours:]
        recent = self.values[counted]
        known = (~np.isnan(recent)).sum(axis=0)
        spread = np.where(np.isnan(recent), -np.inf, recent).max(axis=0, initial=-np.inf) - np.where(np.isnan(recent), np.inf, recent).min(
            axis=0, initial=np.inf
        )
        enough = (len(counted) >= hours) & (known >= max(2, hours / 2))
        return np.asarray(enough & (spread == 0) & np.array([key is not None for key in self.ids]))

    @property
    def _moving(self) -> np.ndarray:
        """The columns whose standing still makes a freeze: all series, or the total where it is alone."""
        parts = np.array([key is not None for key in self.ids])
        return parts if parts.any() else ~parts


def panel_of(
    history: pd.DataFrame, *, last: datetime, frozen_hours: int, columns: tuple[str, str, str], first: datetime | None = None
) -> Panel:
    """The grid from the first hour of `history` (or `first`) to `last`; later rows are ignored. `columns`: hour, id, value.

    Of two rows of one hour and series the later one counts. Without rows of the total it is the sum of what was read.
    ValueError if no usable value is left.
    """
    time, key, target = columns
    rows = pd.DataFrame(
        {
            "hour": pd.to_datetime(history[time], utc=True).dt.floor("h").dt.as_unit("us"),
            "id": history[key].astype(object).where(history[key].notna(), None),
            "value": pd.to_numeric(history[target], errors="coerce").astype(float),
        }
    )
    end = pd.Timestamp(last).tz_convert("UTC").floor("h").as_unit("us")
    rows = rows[rows["hour"] <= end].replace({"value": {np.inf: np.nan, -np.inf: np.nan}})
    if rows["value"].isna().all():
        raise ValueError(f"the history has no usable value up to {end:%Y-%m-%d %H:%M} UTC")
    start = rows["hour"].min() if first is None else pd.Timestamp(first).tz_convert("UTC").floor("h").as_unit("us")
    hours = pd.date_range(start, end, freq=HOUR, unit="us")
    rows = rows[rows["hour"] >= start]

    parts = sorted({str(value) for value in rows["id"] if value is not None})
    place = {value: position for position, value in enumerate(parts)}
    raw = np.full((len(hours), len(parts) + 1), np.nan)
    at = hours.get_indexer(pd.DatetimeIndex(rows["hour"]))
    column = np.array([len(parts) if value is None else place[str(value)] for value in rows["id"]], dtype=int)
    raw[at, column] = rows["value"].to_numpy()
    if np.isnan(raw[:, -1]).all():
        known = ~np.isnan(raw).all(axis=1)
        raw[known, -1] = np.nansum(raw[known, :-1], axis=1)
    return Panel(hours, (*parts, None), raw, frozen_hours)


def series_of(
    history: pd.DataFrame, *, last: datetime, frozen_hours: int, columns: tuple[str, str, str], first: datetime | None = None
) -> pd.DataFrame:
    """The grid in long form, [hour, id, value, state]: value as read, NaN in a gap; state is `observed`, `gap` or `frozen`.

    Columns are named as in `history`. ValueError if no usable value is left.
    """
    panel = panel_of(history, last=last, frozen_hours=frozen_hours, columns=columns, first=first)
    state = np.where(np.isnan(panel.raw), GAP, np.where(panel.is_frozen[:, None], FROZEN, OBSERVED))
    width = len(panel.ids)
    return pd.DataFrame(
        {
            columns[0]: np.repeat(panel.hours, width),
            columns[1]: pd.array(list(panel.ids) * len(panel.hours), dtype="string"),
            columns[2]: panel.raw.ravel(),
            "state": pd.array(state.ravel(), dtype="string"),
        }
    )


def frozen_since(history: pd.DataFrame, *, last: datetime, frozen_hours: int, columns: tuple[str, str, str]) -> datetime | None:
    """Since when (UTC) the feed stands still at `last`; None if it moves. ValueError if no usable value is left."""
    return panel_of(history, last=last, frozen_hours=frozen_hours, columns=columns).frozen_since


def stuck_ids(
    history: pd.DataFrame, *, last: datetime, frozen_hours: int, stuck_hours: int, columns: tuple[str, str, str]
) -> Sequence[str | None]:
    """Series that have not moved in the last `stuck_hours` hours that count, while others did."""
    panel = panel_of(history, last=last, frozen_hours=frozen_hours, columns=columns)
    return [key for key, stuck in zip(panel.ids, panel.is_stuck(stuck_hours), strict=True) if stuck]


def complete(values: np.ndarray) -> np.ndarray:
    """One series without its holes, for a method that cannot do with them: the leading hole cut off, holes of weeks cut out.

    Whole weeks are cut out, so that hours of the day and days of the week stay in step. Every other hole is filled with the mean of its
    hour of the day, shifted by what the data beside it deviate from theirs.
    """
    known = ~np.isnan(values)
    first = int(np.argmax(known))
    values, known = values[first:], known[first:]
    edges = np.flatnonzero(np.diff(np.r_[True, known, True].astype(int)))
    keep = np.ones(len(values), dtype=bool)
    for start, end in edges.reshape(-1, 2):
        keep[start : start + (end - start) // WEEK_HOURS * WEEK_HOURS] = False
    values, known = values[keep], known[keep]
    phase = np.arange(len(values)) % 24
    counts = np.bincount(phase[known], minlength=24)
    sums = np.bincount(phase[known], values[known], minlength=24)
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), values[known].mean())[phase]
    rows = np.arange(len(values))
    return np.asarray(mean + np.interp(rows, rows[known], (values - mean)[known]))
