"""The routes of systems that forecast series: the forecast of the running hour, what is stored, and how good forecasts have been.

Plain Starlette routes, as for predictions, because the id's name in request and answer is the system's own; `schema.py` describes them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlops_assets.domain import ForecastDomain
from mlops_assets.ml.forecast.panel import FrozenFeedError
from mlops_assets.serving.auth import ApiKeys
from mlops_assets.serving.body import read_json_body
from mlops_assets.serving.errors import JSON, ApiError
from mlops_assets.serving.forecast_answers import accuracy_answer, forecast_answer, history_answer
from mlops_assets.serving.forecasts import Forecasts
from mlops_assets.serving.metrics import Metrics
from mlops_assets.serving.observations import NothingStoredError
from mlops_assets.serving.predict import PredictionRoute
from mlops_assets.serving.series_request import DAYS, HOURS, Asked, parse_forecast, parse_query, unknown_series
from mlops_assets.serving.stored_series import HOUR, StoredSeries, Window, hour_of, window_before
from mlops_assets.serving.systems import Systems
from mlops_assets.serving.watcher import brief
from mlops_assets.settings import Settings
from mlops_assets.storage.warehouse import WarehouseError

READERS = 4
"""So many requests at once read the warehouse; the others wait without a thread."""


class Forecasting:
    """The routes. `now` is the time, with a zone."""

    def __init__(self, systems: Systems, settings: Settings, keys: ApiKeys, metrics: Metrics, now: Callable[[], datetime]) -> None:
        self._systems = systems
        self._max_body_bytes = settings.mlops_api_max_body_bytes
        self._keys = keys
        self._metrics = metrics
        self._now = now
        self._stored = StoredSeries(settings)
        self._readers = CapacityLimiter(READERS)
        self._forecasts = Forecasts(self._stored, self._readers, metrics)

    def routes(self) -> Sequence[Route]:
        """`POST /models/{name}/forecast`, `GET /models/{name}/history` and `GET /models/{name}/accuracy`."""
        return [
            PredictionRoute("/models/{name}/forecast", self.forecast, methods=["POST"]),
            PredictionRoute("/models/{name}/history", self.history, methods=["GET"]),
            PredictionRoute("/models/{name}/accuracy", self.accuracy, methods=["GET"]),
        ]

    async def forecast(self, request: Request) -> Response:
        """`{"horizon": 24, "<id column>": null}` -> the champion's forecast of one series, from the running hour on."""
        domain = self._asked(request)
        champion = self._systems.champion(domain)
        asked = parse_forecast(await read_json_body(request, self._max_body_bytes), domain)
        with _refusals(domain):
            found = await self._forecasts.of(champion, hour_of(self._now()), asked.number)
            _require_known(domain, asked, found.names)
            answer = forecast_answer(champion, asked, found)
        self._metrics.count_forecast(champion, found.method)
        return _json(answer)

    async def history(self, request: Request) -> Response:
        """`?hours=168&<id column>=` -> every series, or the one that is named, hour by hour, and the forecasts that were published last."""
        domain = self._asked(request)
        asked = parse_query(request.query_params, domain, HOURS)
        usual = window_before(domain, self._now())
        window = Window(usual.end - asked.number * HOUR, usual.end)

        def read() -> dict[str, Any]:
            stored = self._stored.history(domain, Window(min(usual.first, window.first), usual.end))
            if asked.is_named:
                _require_known(domain, asked, stored.names)
            return history_answer(domain, asked, stored, self._stored.published(domain, usual), window)

        with _refusals(domain):
            return _json(await to_thread.run_sync(read, limiter=self._readers))

    async def accuracy(self, request: Request) -> Response:
        """`?days=28&<id column>=` -> published forecasts of one series against what then came, and the back-tests of the total."""
        domain = self._asked(request)
        asked = parse_query(request.query_params, domain, DAYS)
        usual = window_before(domain, self._now())
        window = Window(usual.end.replace(hour=0) - timedelta(days=asked.number - 1), usual.end)

        def read() -> dict[str, Any]:
            names = self._stored.names(domain, usual)
            if asked.series is not None:
                _require_known(domain, asked, names)
            by_hour, by_horizon = (self._stored.scores(domain, key, asked.series, window) for key in ("timestamp", "horizon"))
            return accuracy_answer(domain, asked, names, by_hour, by_horizon, self._stored.backtests(domain, window))

        with _refusals(domain):
            return _json(await to_thread.run_sync(read, limiter=self._readers))

    def _asked(self, request: Request) -> ForecastDomain:
        self._keys.require_if_set(request)
        return self._systems.forecaster(request.path_params["name"])


@contextmanager
def _refusals(domain: ForecastDomain) -> Iterator[None]:
    """Why a system cannot be answered for now, as ApiError 503."""
    try:
        yield
    except NothingStoredError as error:
        raise ApiError(503, str(error)) from None
    except FrozenFeedError as error:
        since = error.since.astimezone(UTC)
        why = f"no series has moved since {since:%Y-%m-%d %H:%M} UTC, so its upstream has stopped and there is nothing to forecast from"
        raise ApiError(503, f"{domain.name} cannot be forecast: {why}", facts={"since": f"{since:%Y-%m-%dT%H:%M:%SZ}"}) from None
    except WarehouseError as error:
        raise ApiError(503, f"what {domain.name} has stored cannot be read: {brief(error)}") from error


def _require_known(domain: ForecastDomain, asked: Asked, known: Mapping[str | None, str]) -> None:
    if asked.series not in known:
        raise unknown_series(domain, asked.series, known)


def _json(answer: dict[str, Any]) -> Response:
    return Response(orjson.dumps(answer, option=orjson.OPT_UTC_Z), media_type=JSON)
