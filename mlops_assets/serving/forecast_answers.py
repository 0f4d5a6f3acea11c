"""The JSON of the routes of forecasting systems. Values in, values out; `schema.py` describes the same to clients."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from mlops_assets.domain import ForecastDomain
from mlops_assets.ml.forecast.panel import series_of
from mlops_assets.serving.champion import Forecaster
from mlops_assets.serving.forecasts import Computed, forecast_hours, number
from mlops_assets.serving.observations import NothingStoredError
from mlops_assets.serving.series_request import Asked
from mlops_assets.serving.stored_series import HOUR, Row, Rows, Stored, Window

Answer = dict[str, Any]


def forecast_answer(champion: Forecaster, asked: Asked, found: Computed) -> Answer:
    """One series, as far as was asked. NothingStoredError if it has no value from which it could be forecast."""
    domain = champion.domain
    if asked.series not in found.hours:
        raise NothingStoredError(f"{found.names[asked.series]} cannot be forecast: none of the stored hours has a value of it")
    return {
        "model": domain.name,
        "model_version": champion.version,
        "created_at": found.created_at,
        "as_of": found.as_of,
        domain.id_column: asked.series,
        "name": found.names[asked.series],
        "method": found.method,
        "reason": found.reason,
        "train_points": found.train_points,
        "coverage": champion.served.coverage,
        "unit": unit_of(domain),
        "forecast": found.hours[asked.series][: asked.number],
    }


def history_answer(domain: ForecastDomain, asked: Asked, stored: Stored, published: Rows, window: Window) -> Answer:
    """Every hour of the window: value and state (observed, gap or frozen) of each series, and what was published last for it."""
    columns = domain.time_column, domain.id_column, domain.target
    grid = series_of(stored.rows, last=window.end - HOUR, frozen_hours=domain.frozen_hours, columns=columns)
    hours = pd.date_range(window.first, window.end, freq="h", inclusive="left")
    parts: dict[str | None, pd.DataFrame] = {
        None if pd.isna(series) else str(series): part for series, part in grid.groupby(domain.id_column, dropna=False)
    }
    forecasts = forecast_hours(published, "series")
    return {
        "model": domain.name,
        "as_of": stored.newest,
        "unit": unit_of(domain),
        "published": {name: published[0][name] for name in ("created_at", "model_version")} if published else None,
        "series": [
            {
                domain.id_column: series,
                "name": name,
                "total": number(stored.capacities.get(series)),
                "timestamps": hours.to_pydatetime().tolist(),
                **_observed(parts[series].set_index(domain.time_column).reindex(hours), domain.target),
                "published": forecasts.get(series, []),
            }
            for series, name in stored.names.items()
            if not asked.is_named or series == asked.series
        ],
    }


def accuracy_answer(
    domain: ForecastDomain, asked: Asked, names: Mapping[str | None, str], by_hour: Rows, by_horizon: Rows, backtests: Rows
) -> Answer:
    """Published forecasts of one series against what then came, altogether, by day (UTC) and by hours ahead; and every run's back-test."""
    days: dict[date, Rows] = {}
    for row in by_hour:
        days.setdefault(row["place"].date(), []).append(row)
    return {
        "model": domain.name,
        domain.id_column: asked.series,
        "name": names.get(asked.series, domain.total),
        "unit": unit_of(domain),
        "coverage": domain.coverage,
        **_scores(by_hour),
        "by_day": [{"day": day, **_scores(rows)} for day, rows in days.items()],
        "by_horizon": [{"horizon": row["place"], **_scores([row])} for row in by_horizon],
        "backtests": [{**row, "mae": number(row["mae"]), "mase": number(row["mase"])} for row in backtests],
    }


def unit_of(domain: ForecastDomain) -> str:
    """What the values are, in words."""
    return domain.unit or next(field.description for field in domain.request if field.name == domain.target)


def _observed(part: pd.DataFrame, target: str) -> Answer:
    return {
        "values": [number(value) for value in part[target].astype("float64")],
        "state": part["state"].fillna("gap").astype(str).tolist(),
    }


def _scores(rows: Sequence[Row]) -> Answer:
    """Of sums: how many forecasts, their mean absolute error, and the share of intervals that held the value; None of nothing."""
    points, error, intervals, hits = (sum(row[name] for row in rows) for name in ("points", "error", "intervals", "hits"))
    return {"points": points, "mae": error / points if points else None, "within": hits / intervals if intervals else None}
