"""The application: its parts put together, started and stopped."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from mlops_assets import __version__
from mlops_assets.domain import Domain
from mlops_assets.domains import DOMAINS
from mlops_assets.serving.auth import ApiKeys
from mlops_assets.serving.errors import handle_errors
from mlops_assets.serving.forecast import Forecasting
from mlops_assets.serving.health import health_routes
from mlops_assets.serving.metrics import Metrics, MetricsMiddleware
from mlops_assets.serving.models import compatible_routes, model_routes
from mlops_assets.serving.predict import Predictions
from mlops_assets.serving.schema import openapi_of
from mlops_assets.serving.systems import Systems
from mlops_assets.serving.watcher import RegistryWatcher
from mlops_assets.settings import Settings

TITLE = "mlops-assets"
DESCRIPTION = """\
Predictions and forecasts by the registered champion of each system. A newly promoted champion is served within seconds; each answer names
the version that computed it.

Predictions, forecasts and stored data need an API key where keys are configured (`X-API-Key`, or `Authorization: Bearer`); reloading always
needs one. Records with unknown fields are refused. A null is accepted where the model can fill in a value."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    settings: Settings | None = None, domains: Sequence[Domain] | None = None, *, now: Callable[[], datetime] = _utc_now
) -> FastAPI:
    """The prediction API for `domains`, by default all there are. It starts without a registry and is ready when there is one.

    `now` is the time, with a zone: forecasts are of the hour that is running then.
    """
    settings = settings or Settings()
    domains = tuple(DOMAINS.values() if domains is None else domains)
    watcher = RegistryWatcher(domains, settings.tracking_uri, settings.mlops_api_poll_seconds)
    systems = Systems(domains, watcher)
    keys = ApiKeys(settings.api_keys)
    metrics = Metrics(watcher)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watcher.start()
        try:
            yield
        finally:
            watcher.stop()

    app = FastAPIOffline(
        redoc_url=None,
        static_url="/docs/assets",
        title=TITLE,
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    # In front of the documentation's, because routes are tried in their order.
    predictions, forecasting = Predictions(systems, settings, keys, metrics), Forecasting(systems, settings, keys, metrics, now)
    app.router.routes[:0] = [*predictions.routes(), *forecasting.routes()]
    app.include_router(model_routes(systems, watcher, settings, keys, now))
    app.include_router(compatible_routes(systems, watcher, keys))
    app.include_router(health_routes(watcher, metrics))
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    app.openapi = openapi_of(app, systems, settings.mlops_api_max_records)  # type: ignore[method-assign]  # as FastAPI documents it
    handle_errors(app)
    return app
