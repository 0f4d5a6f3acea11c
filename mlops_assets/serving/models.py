"""What is known of the models: the systems, their champions and versions, a sample of their data, and reloading."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Path, Query, Request

from mlops_assets.domain import Domain, ForecastDomain
from mlops_assets.serving.answers import (
    CompatibleMetadata,
    ModelDetail,
    ModelList,
    ModelSummary,
    Reloaded,
    Sample,
    Version,
    VersionList,
)
from mlops_assets.serving.auth import ApiKeys
from mlops_assets.serving.description import describe, describe_forecaster, metadata, registered_versions, summarize
from mlops_assets.serving.errors import ApiError
from mlops_assets.serving.observations import MAX_ROWS, NothingStoredError, Observations
from mlops_assets.serving.schema_parts import SECURITY, error_answers
from mlops_assets.serving.stored_series import StoredSeries, window_before
from mlops_assets.serving.systems import Systems
from mlops_assets.serving.watcher import RegistryWatcher, ReloadError, brief
from mlops_assets.settings import Settings
from mlops_assets.storage.warehouse import WarehouseError

logger = logging.getLogger(__name__)

SLOW_READERS = 2
"""So many requests at once read the registry or stored data; the others wait without a thread."""


def model_routes(systems: Systems, watcher: RegistryWatcher, settings: Settings, keys: ApiKeys, now: Callable[[], datetime]) -> APIRouter:
    """`/models...`. `now` is the time, with a zone."""
    router = APIRouter(tags=["models"])
    observations = Observations(settings)
    stored = StoredSeries(settings)
    slow = CapacityLimiter(SLOW_READERS)

    def named(name: Annotated[str, Path(description="The system", json_schema_extra={"enum": _names(systems.domains)})]) -> Domain:
        return systems.domain(name)

    Named = Annotated[Domain, Depends(named)]  # noqa: N806  # a type

    @router.get("/models", summary="The systems and their champions")
    async def models() -> ModelList:
        return ModelList(models=[_summary(domain) for domain in systems.domains])

    def _summary(domain: Domain) -> ModelSummary:
        return summarize(domain, watcher.slots[domain.name].champion)

    @router.get("/models/{name}", summary="A system, its request and its champion", responses=error_answers(404))
    async def model(domain: Named) -> ModelDetail:
        champion = watcher.slots[domain.name].champion
        if domain in systems.forecasting:
            forecaster = systems.forecaster(domain.name)
            names = await to_thread.run_sync(series_of, forecaster, limiter=slow)
            return describe_forecaster(forecaster, champion, settings, names)
        return describe(systems.tabular(domain.name), champion, settings)

    def series_of(domain: ForecastDomain) -> dict[str | None, str]:
        """Without a warehouse the rest is still told."""
        try:
            return stored.names(domain, window_before(domain, now()))
        except WarehouseError as error:
            logger.warning("the series of %s cannot be read: %s", domain.name, brief(error))
            return {}

    @router.get("/models/{name}/versions", summary="All registered versions", responses=error_answers(404, 503))
    async def versions(domain: Named) -> VersionList:
        def read() -> list[Version]:
            return registered_versions(watcher.client(), domain)

        try:
            return VersionList(versions=await to_thread.run_sync(read, limiter=slow))
        except Exception as error:  # whatever the registry, its driver or the network raises
            raise ApiError(503, f"the registry does not answer: {brief(error)}") from error

    @router.get(
        "/models/{name}/data", summary="A sample of the stored observations", responses=error_answers(401, 404, 422, 503), **SECURITY
    )
    async def data(request: Request, domain: Named, rows: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 2000) -> Sample:
        keys.require_if_set(request)
        try:
            return await to_thread.run_sync(observations.sample, domain, rows, limiter=slow)
        except NothingStoredError as error:
            raise ApiError(503, str(error)) from None
        except Exception as error:  # whatever the store, its driver or the network raises
            raise ApiError(503, f"what {domain.name} has stored cannot be read: {brief(error)}") from error

    @router.post("/models/{name}/reload", summary="Load the champion now", responses=error_answers(401, 403, 404, 503), **SECURITY)
    async def reload(request: Request, domain: Named) -> Reloaded:
        keys.require(request)
        return await _reload(watcher, domain)

    return router


def compatible_routes(systems: Systems, watcher: RegistryWatcher, keys: ApiKeys) -> APIRouter:
    """`/metadata` and `/reload` of the system that has a compatible API, if there is one; `/predict` is among the predictions."""
    router = APIRouter(tags=["compatible"])
    if not systems.compatible:
        return router
    domain = systems.compatible

    @router.get("/metadata", summary=f"The champion of {domain.name}", responses=error_answers(503))
    async def compatible_metadata() -> CompatibleMetadata:
        return metadata(systems.champion(domain))

    @router.post("/reload", summary=f"Load the champion of {domain.name}", responses=error_answers(401, 403, 503), **SECURITY)
    async def compatible_reload(request: Request) -> Reloaded:
        keys.require(request)
        return await _reload(watcher, domain)

    return router


async def _reload(watcher: RegistryWatcher, domain: Domain) -> Reloaded:
    try:
        # Shielded, because other requests may wait for the same loading.
        champion = await asyncio.shield(asyncio.wrap_future(watcher.reload(domain.name)))
    except ReloadError as error:
        raise ApiError(503, f"{domain.name} was not reloaded; what was served goes on being served: {error}") from None
    return Reloaded(model=domain.name, model_version=champion.version)


def _names(domains: Sequence[Domain]) -> list[Any]:
    return [domain.name for domain in domains]
