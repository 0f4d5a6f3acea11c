"""The registry of forecasting methods: name -> function, the observed hours it needs, and whether it looks at all series together.

A function takes a panel that ends with the last known hour, the number of steps and the parameters, and gives (steps, series).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_assets.ml.forecast import sarimax
from mlops_assets.ml.forecast.panel import Panel, complete
from mlops_assets.ml.forecast.profile import weekly_profile

DAY, WEEK = 24, 168
HISTORY_HOURS = 28 * DAY
"""How far back a method looks whose cost grows with its history, unless its parameter `history_hours` says otherwise."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A method. `joint`: it forecasts the series together, so that it always gets all of them."""

    run: Callable[[Panel, int, Mapping[str, Any]], np.ndarray]
    needs: int
    """Observed hours of a series without which it is not used."""
    joint: bool = False


def last_value(panel: Panel, steps: int, params: Mapping[str, Any]) -> np.ndarray:  # noqa: ARG001
    """What was observed last goes on."""
    return np.repeat(_latest(panel.values, 1), steps, axis=0)


def hour_of_day_mean(panel: Panel, steps: int, params: Mapping[str, Any]) -> np.ndarray:  # noqa: ARG001
    """The mean of everything observed at that hour of the day (UTC), the last value where there is nothing."""
    days = _by_phase(panel.values, DAY)
    known = ~np.isnan(days)
    counts = known.sum(axis=0)
    means = np.where(known, days, 0).sum(axis=0) / np.maximum(counts, 1)
    return _repeated(np.where(counts > 0, means, _latest(panel.values, 1)), steps)


def seasonal_naive_day(panel: Panel, steps: int, params: Mapping[str, Any]) -> np.ndarray:  # noqa: ARG001
    """What was last observed at that hour of the day (UTC), the last value where there is nothing."""
    days = _latest(panel.values, DAY)
    return _repeated(np.where(np.isnan(days), _latest(panel.values, 1), days), steps)


def seasonal_naive_week(panel: Panel, steps: int, params: Mapping[str, Any]) -> np.ndarray:
    """What was last observed at that hour of the week (UTC), that of the day where there is nothing."""
    weeks = _repeated(_latest(panel.values, WEEK), steps)
    return np.where(np.isnan(weeks), seasonal_naive_day(panel, steps, params), weeks)


def seasonal_arima(panel: Panel, steps: int, params: Mapping[str, Any]) -> np.ndarray:
    """SARIMAX(1,1,1)(1,1,1,24) of each series."""
    return _each(panel, steps, params, sarimax.forecast)


def mstl(panel: Panel, steps: int, params: Mapping[str, Any]) -> np.ndarray:
    """The MSTL of statsforecast, of the day and the week, exponential smoothing for what is left."""
    from statsforecast.models import MSTL, AutoETS

    return _each(panel, steps, params, lambda values, ahead: _mean(MSTL([DAY, WEEK], trend_forecaster=AutoETS(model="ANN")), values, ahead))


def ets(panel: Panel, steps: int, params: Mapping[str, Any]) -> np.ndarray:
    """The AutoETS of statsforecast, with additive errors and an additive day."""
    from statsforecast.models import AutoETS

    return _each(panel, steps, params, lambda values, ahead: _mean(AutoETS(DAY, model="ANA"), values, ahead))


def theta(panel: Panel, steps: int, params: Mapping[str, Any]) -> np.ndarray:
    """The DynamicOptimizedTheta of statsforecast, with the period of a day."""
    from statsforecast.models import DynamicOptimizedTheta

    # Additive: a share of the mean has no meaning for a car park that is full every day.
    return _each(
        panel, steps, params, lambda values, ahead: _mean(DynamicOptimizedTheta(DAY, decomposition_type="additive"), values, ahead)
    )


METHODS: Mapping[str, Entry] = {
    "last_value": Entry(last_value, 1),
    "hour_of_day_mean": Entry(hour_of_day_mean, DAY),
    "seasonal_naive_day": Entry(seasonal_naive_day, DAY),
    "seasonal_naive_week": Entry(seasonal_naive_week, WEEK),
    "sarimax": Entry(seasonal_arima, 5 * DAY),
    "mstl": Entry(mstl, 2 * WEEK),
    "ets": Entry(ets, 3 * DAY),
    "theta": Entry(theta, 3 * DAY),
    "weekly_profile": Entry(weekly_profile, 2 * DAY, joint=True),
}
FALLBACKS = ("seasonal_naive_day", "last_value")
"""What forecasts instead of a method that needs more than there is; the first that the data carry."""


def entry(name: str) -> Entry:
    """The method called `name`; ValueError names the ones there are."""
    if name not in METHODS:
        raise ValueError(f"there is no forecasting method {name!r}; there are: {', '.join(METHODS)}")
    return METHODS[name]


def _each(panel: Panel, steps: int, params: Mapping[str, Any], forecast: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
    """`forecast` of each series' last `history_hours` hours without holes; a series that never moves goes on."""
    columns = []
    for values in panel.values.T:
        series = complete(values)[-int(params.get("history_hours", HISTORY_HOURS)) :]
        columns.append(forecast(series, steps) if np.ptp(series) else np.repeat(series[-1:], steps))
    return np.stack(columns, axis=1)


def _mean(model: Any, values: np.ndarray, steps: int) -> np.ndarray:
    return np.asarray(model.forecast(y=values, h=steps)["mean"])


def _by_phase(values: np.ndarray, season: int) -> np.ndarray:
    """(hours, series) as (periods, season, series); the last period is whole, the first one is filled up with NaN."""
    missing = -len(values) % season
    padded = np.concatenate([np.full((missing, values.shape[1]), np.nan), values])
    return padded.reshape(-1, season, values.shape[1])


def _latest(values: np.ndarray, season: int) -> np.ndarray:
    """The last value that is not NaN of each phase, (season, series)."""
    periods = _by_phase(values, season)
    row = np.where(np.isnan(periods), -1, np.arange(len(periods))[:, None, None]).max(axis=0)
    return np.asarray(np.take_along_axis(periods, row[None], axis=0)[0])


def _repeated(season: np.ndarray, steps: int) -> np.ndarray:
    return np.asarray(season[np.arange(steps) % len(season)])
