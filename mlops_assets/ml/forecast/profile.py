"""Every series from its own weekly profile and its present deviation from that, and the total as their sum.

Single car parks fail, stand still and come back; in the total that looks like a change of level, in its own series it is plain to see.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.ml.forecast.panel import HOUR, Panel

DAY_HOURS, WEEK_HOURS = 24, 168
KINDS = 3
"""Kinds of day: working day, Saturday, Sunday."""
FAINT = 1e-6
RESTLESS = 0.1
"""Share of its weekly range through which a series has to be expected to move before its standing still says anything."""


def weekly_profile(panel: Panel, steps: int, params: Mapping[str, Any]) -> np.ndarray:
    """Forecast of every series, (steps, series); the total is the sum of the series that the feed still gives.

    A value is expected by hour of the week in `time_zone`: the mean of what was observed then, an observation `half_life_days` old
    counting half; the means lean by the weight `shrinkage` on those of the same hour in days of the same kind, which lean on those of the
    hour. The last deviation from that fades by `damping` an hour, down to `day_level` of the median deviation of the last 24 hours. A
    series that has not moved for `stuck_hours` in which it usually does, or for a day, keeps its value. A total that stands
    alone is a series as any other.
    """
    hours = panel.hours[-1] + HOUR * np.arange(1, steps + 1)
    past, future = (_calendar(index.tz_convert(params.get("time_zone", "UTC"))) for index in (panel.hours, pd.DatetimeIndex(hours)))
    quiet, stuck = (panel.is_stuck(hours) for hours in (int(params.get("stuck_hours", 8)), DAY_HOURS))
    counted = np.flatnonzero(~np.isnan(panel.values).all(axis=1))
    result = np.full((steps, len(panel.ids)), np.nan)
    present = np.zeros(len(panel.ids), dtype=bool)
    recent, lately = counted[-DAY_HOURS:], counted[-int(params.get("stuck_hours", 8)) :]
    for column in np.flatnonzero(panel.observed):
        values = panel.values[:, column]
        present[column] = not np.isnan(values[recent]).all()
        last = np.flatnonzero(~np.isnan(values))[-1]
        expected = _expectations(values, past, params)
        should_move = np.ptp(expected[past[2, lately]]) > RESTLESS * np.ptp(expected)
        if stuck[column] or (quiet[column] and should_move):
            result[:, column] = values[last]
        else:
            result[:, column] = np.maximum(0, _continued(values, last, expected, past[2], future[2], params))
    parts = present & (np.arange(len(panel.ids)) != panel.total)
    if parts.any():
        result[:, panel.total] = result[:, parts].sum(axis=1)
    return result


def _continued(
    values: np.ndarray, last: int, expected: np.ndarray, past: np.ndarray, future: np.ndarray, params: Mapping[str, Any]
) -> np.ndarray:
    """The expectation of the hours of the week in `future`, and what the deviation of the hours in `past` leaves of itself."""
    deviation = values - expected[past]
    day = deviation[-DAY_HOURS:][~np.isnan(deviation[-DAY_HOURS:])]
    lasting = float(params.get("day_level", 0.3)) * (np.median(day) if len(day) else 0.0)
    ahead = np.arange(1, len(future) + 1) + len(values) - 1 - last
    share = float(params.get("damping", 0.9)) ** (ahead - 1)
    return np.asarray(expected[future] + share * deviation[last] + (1 - share) * lasting)


def _expectations(values: np.ndarray, calendar: np.ndarray, params: Mapping[str, Any]) -> np.ndarray:
    """The expected value of each hour of the week, (168,)."""
    known = ~np.isnan(values)
    age = len(values) - 1 - np.flatnonzero(known)
    weights = 0.5 ** (age / (DAY_HOURS * float(params.get("half_life_days", 20))))
    shrinkage = float(params.get("shrinkage", 0.4))
    of_week = _calendar_of(np.arange(WEEK_HOURS))
    mean = np.average(values[known], weights=weights)
    for level, (size, lean) in enumerate(((DAY_HOURS, FAINT), (KINDS * DAY_HOURS, shrinkage * 0.3), (WEEK_HOURS, shrinkage))):
        place = calendar[level, known]
        total, summed = np.bincount(place, weights, size), np.bincount(place, weights * values[known], size)
        mean = (summed[of_week[level]] + lean * mean) / (total[of_week[level]] + lean)
    return np.asarray(mean)


def _calendar(hours: pd.DatetimeIndex) -> np.ndarray:
    """Hour of the day, of the kind of day and of the week of each hour, (3, hours); the week begins on Monday."""
    return _calendar_of(hours.dayofweek.to_numpy() * DAY_HOURS + hours.hour.to_numpy())


def _calendar_of(hour_of_week: np.ndarray) -> np.ndarray:
    day, hour = np.divmod(hour_of_week, DAY_HOURS)
    return np.stack([hour, np.maximum(day - 4, 0) * DAY_HOURS + hour, hour_of_week])
