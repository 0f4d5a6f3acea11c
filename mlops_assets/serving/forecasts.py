"""Forecasts of the running hour: computed once by the champion, on the stored history, and kept while nothing has changed.

Here belongs when to compute. What is computed is the model's business, what is stored `stored_series`', what is answered `forecast`'s.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import cast

import pandas as pd
from anyio import CapacityLimiter, to_thread

from mlops_assets.hours import HOUR
from mlops_assets.ml.forecast.panel import FrozenFeedError
from mlops_assets.serving.champion import Forecaster
from mlops_assets.serving.metrics import Metrics
from mlops_assets.serving.observations import NothingStoredError
from mlops_assets.serving.stored_series import Rows, State, StoredSeries, Window, window_before

COMPUTING = 1
"""So many forecasts are computed at once: one takes all cores that it can use."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A forecast of every series: id -> its hours, None the total."""

    created_at: datetime
    as_of: datetime
    method: str
    reason: str
    train_points: int
    names: Mapping[str | None, str]
    hours: Mapping[str | None, Rows]


@dataclass(frozen=True, slots=True)
class _Key:
    """What decides a forecast."""

    version: str
    registered_at: datetime
    created_at: datetime
    state: State


class Forecasts:
    """The newest forecasts of every system. Its methods belong to the event loop."""

    def __init__(self, stored: StoredSeries, readers: CapacityLimiter, metrics: Metrics) -> None:
        self._stored = stored
        self._readers = readers
        self._computing = CapacityLimiter(COMPUTING)
        self._metrics = metrics
        # At most two for a system: as far as it publishes, and as far as it can be asked. A task that is done is the answer kept.
        self._newest: dict[tuple[str, int], tuple[_Key, asyncio.Task[Computed]]] = {}

    async def of(self, champion: Forecaster, created_at: datetime, horizon: int) -> Computed:
        """All series, at least `horizon` hours from the hour `created_at` on. Who asks for the same meanwhile waits for one computation.

        What lies beyond the published horizon is cut out of the longest that may be asked for, so that a system has two forecasts an hour.
        NothingStoredError if there is no history, FrozenFeedError if it stands still; whatever the warehouse or the model raises.
        """
        domain = champion.domain
        window = window_before(domain, created_at)
        state = await to_thread.run_sync(self._stored.state, domain, window, limiter=self._readers)
        reach = domain.horizon if horizon <= domain.horizon else domain.max_horizon
        key = _Key(champion.version, champion.created_at, created_at, state)
        kept = self._newest.get((domain.name, reach))
        if kept is None or kept[0] != key or _failed(kept[1]):
            kept = key, asyncio.create_task(to_thread.run_sync(self._compute, champion, window, reach, limiter=self._computing))
            self._newest[domain.name, reach] = kept
        # Shielded, because a client that hangs up takes nothing from the others.
        return await asyncio.shield(kept[1])

    def _compute(self, champion: Forecaster, window: Window, horizon: int) -> Computed:
        start = time.perf_counter()
        stored = self._stored.history(champion.domain, window)
        if stored.newest < window.end - (champion.domain.silent_hours + 1) * HOUR:
            silent = f"its last hour with a reading is {stored.newest:%Y-%m-%d %H:%M} UTC"
            raise NothingStoredError(f"{champion.domain.name} cannot be forecast: {silent}")
        try:
            forecast = champion.served.forecast(stored.rows, created_at=window.end, horizon=horizon)
        except FrozenFeedError:
            raise
        except ValueError as error:
            raise NothingStoredError(f"{champion.domain.name} cannot be forecast: {error}") from error
        self._metrics.observe_forecast(champion, time.perf_counter() - start)
        return Computed(
            created_at=window.end,
            as_of=stored.newest,
            method=forecast.method,
            reason=forecast.reason,
            train_points=forecast.train_points,
            names=stored.names,
            hours=forecast_hours(cast(Rows, forecast.rows.to_dict("records")), champion.domain.id_column),
        )


def _failed(task: "asyncio.Task[Computed]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def forecast_hours(rows: Rows, id_column: str) -> dict[str | None, Rows]:
    """Forecast rows by their id, as they are answered: timestamp, horizon, yhat and the interval; None where there is no number."""
    found: dict[str | None, Rows] = {}
    for row in rows:
        series = row[id_column]
        hour = {"timestamp": pd.Timestamp(row["timestamp"]).to_pydatetime(), "horizon": int(row["horizon"])}
        numbers = {name: number(row[name]) for name in ("yhat", "yhat_lower", "yhat_upper")}
        found.setdefault(series if isinstance(series, str) else None, []).append({**hour, **numbers})
    return found


def number(value: float | None) -> float | None:
    """As JSON has it: what is not a finite number is missing."""
    return float(value) if value is not None and isfinite(value) else None
