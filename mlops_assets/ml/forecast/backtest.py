"""The rolling back-test: every method on the same cutoffs, each fed with what was known there, scored on observed hours only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_assets.domain import Backtest
from mlops_assets.ml.forecast.methods import FALLBACKS, entry
from mlops_assets.ml.forecast.panel import Panel

LEAD = 1
"""A forecast is published an hour after its history ends, and begins an hour later: horizon h is step h + 1."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Of the total, on all cutoffs together. `mase` is NaN where no two days before a cutoff can be compared."""

    mae: float
    mase: float
    cutoffs: int
    points: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What a method made of a panel, (steps, series); `method` forecast the total, `reason` says why if it was not the one asked for."""

    values: np.ndarray
    method: str
    reason: str


def apply(panel: Panel, method: str, params: Mapping[str, Any], steps: int, *, stuck_hours: int) -> Applied:
    """The method's forecast of every series, never below 0; what it needs more data for is forecast by the first fallback that does not.

    A stuck series keeps its value whatever the method. A series without any data is NaN.
    """
    chain = [(method, params), *((name, {}) for name in FALLBACKS if name != method)]
    result = np.full((steps, len(panel.ids)), np.nan)
    done = panel.observed == 0
    used = ""
    for name, given in chain:
        found = entry(name)
        columns = np.flatnonzero(~done & (panel.observed >= found.needs))
        if found.joint:
            columns = np.flatnonzero(~done) if panel.observed[panel.total] >= found.needs else columns[:0]
        if not len(columns):
            continue
        if found.joint or len(columns) == len(panel.ids):
            result[:, columns] = found.run(panel, steps, given)[:, columns]
        else:
            result[:, columns] = found.run(panel.only(columns), steps, given)
        used = used or (name if panel.total in columns else "")
        done[columns] = True
    stuck = panel.is_stuck(stuck_hours)
    if stuck.any():
        last = entry("last_value").run(panel, 1, {})
        result[:, stuck] = last[:, stuck]
    observed, needed = int(panel.observed[panel.total]), entry(method).needs
    reason = "" if used == method else f"{observed} observed hours; {method} needs {needed}"
    return Applied(np.maximum(result, 0), used, reason)


def cutoffs_of(panel: Panel, plan: Backtest, horizon: int) -> list[int]:
    """Rows of the panel after which a forecast is made, the latest first, `plan.step` hours apart.

    Passed over are those at which the feed was known to be frozen or had given nothing yet, and those that half a horizon of data of the
    total does not follow. So a freeze of weeks takes no cutoff away, as long as the history reaches behind it.
    """
    usable = ~np.isnan(panel.values[:, panel.total])
    found: list[int] = []
    for rows in range(len(panel.hours) - horizon - LEAD, 0, -plan.step):
        if len(found) == plan.cutoffs:
            break
        if usable[rows + LEAD : rows + LEAD + horizon].sum() * 2 < horizon or not usable[:rows].any():
            continue
        if panel.until(rows).frozen_since is None:
            found.append(rows)
    return found


@dataclass(frozen=True)
class Errors:
    """Observed minus forecast, (cutoffs, horizon, series), NaN where nothing was observed; `scales` of the total, one for each cutoff."""

    errors: np.ndarray
    scales: np.ndarray
    total: int
    own: int
    """Cutoffs at which the method forecast the total itself; at the others its fallback did."""

    def scores(self, horizon: int) -> Scores | None:
        """Of the total, up to `horizon`; None without a cutoff."""
        absolute = np.abs(self.errors[:, :horizon, self.total])
        known = ~np.isnan(absolute)
        if not known.any():
            return None
        scaled = (absolute / self.scales[:, None])[known & ~np.isnan(self.scales)[:, None]]
        mase = float(scaled.mean()) if len(scaled) else float("nan")
        return Scores(float(absolute[known].mean()), mase, int(known.any(axis=1).sum()), int(known.sum()))


def backtest(
    panel: Panel,
    method: str,
    params: Mapping[str, Any],
    cutoffs: Sequence[int],
    *,
    horizon: int,
    season: int,
    stuck_hours: int,
    total_only: bool = False,
) -> Errors:
    """The method at every cutoff. Hours that are gaps or frozen, as far as the whole panel tells, are not scored.

    `total_only` spares what the total's score does not need: the other series, where the method does not look at them.
    """
    columns = np.array([panel.total]) if total_only and not entry(method).joint else np.arange(len(panel.ids))
    errors = np.full((len(cutoffs), horizon, len(columns)), np.nan)
    scales = np.full(len(cutoffs), np.nan)
    own = 0
    for number, rows in enumerate(cutoffs):
        known = panel.until(rows)
        seen = known if len(columns) == len(known.ids) else known.only(columns)
        made = apply(seen, method, params, horizon + LEAD, stuck_hours=stuck_hours)
        own += not made.reason
        actual = panel.values[rows + LEAD : rows + LEAD + horizon][:, columns]
        errors[number, : len(actual)] = actual - made.values[LEAD : LEAD + len(actual)]
        scales[number] = _naive_error(known.values[:, panel.total], season)
    return Errors(errors, scales, int(np.flatnonzero(columns == panel.total)[0]), own)


def _naive_error(values: np.ndarray, season: int) -> float:
    """Mean absolute difference to the same hour a season before; NaN where there is none, or no difference."""
    distance = np.abs(values[season:] - values[:-season])
    known = distance[~np.isnan(distance)]
    return float(known.mean()) if len(known) and known.any() else float("nan")
