"""The hourly series of a forecasting system as frames, and what people call them. Pure; times are UTC."""

from collections.abc import Sequence

import pandas as pd

from mlops_assets.dashboard.answers import Forecast, ForecastHour, Series
from mlops_assets.dashboard.wording import first_capital

OBSERVED, FROZEN, GAP = "observed", "frozen", "gap"
STATES = (OBSERVED, FROZEN, GAP)
TREND_DAYS = 7
"""A day's accuracy is smoothed over so many days that end with it."""


def total_first(series: Sequence[Series]) -> list[Series]:
    """The total, then the others by name."""
    return sorted(series, key=lambda one: (one.id is not None, one.name.casefold()))


def to_rows(series: Sequence[Series]) -> pd.DataFrame:
    """A row for every hour of every series: hour, id, name, value, total, state."""
    frames = [
        pd.DataFrame(
            {
                "hour": pd.to_datetime(pd.Series(one.timestamps), utc=True),
                "id": pd.Series([one.id] * len(one.timestamps), dtype="string"),
                "name": first_capital(one.name),
                "value": pd.Series(one.values, dtype="Float64"),
                "total": pd.Series([one.total] * len(one.timestamps), dtype="Float64"),
                "state": one.state,
            }
        )
        for one in series
    ]
    return pd.concat(frames, ignore_index=True)


def hours_by_state(series: Sequence[Series]) -> pd.DataFrame:
    """A row a series: its name, its last observed value, its capacity, and its hours in each state."""
    rows = [
        {
            "name": first_capital(one.name),
            "last": next(
                (value for value, state in zip(reversed(one.values), reversed(one.state), strict=True) if state == OBSERVED), None
            ),
            "total": one.total,
            **{state: one.state.count(state) for state in STATES},
        }
        for one in series
    ]
    return pd.DataFrame(rows).astype({"last": "Float64", "total": "Float64"})


def forecast_rows(answer: Forecast, series: Series) -> pd.DataFrame:
    """A row for every hour that is forecast: of which series, when, by what."""
    rows = pd.DataFrame([hour.model_dump() for hour in answer.forecast], columns=list(ForecastHour.model_fields))
    rows.insert(0, "id", series.id)
    rows.insert(1, "name", first_capital(series.name))
    return rows.assign(created_at=answer.created_at, method=answer.method, model_version=answer.model_version)
