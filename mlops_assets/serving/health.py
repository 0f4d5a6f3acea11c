"""How the API is: for people, probes and the replaced system's clients (`/health`), and for Prometheus (`/metrics`). Both are open."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from mlops_assets.serving.answers import Health, ModelHealth, RegistryHealth
from mlops_assets.serving.metrics import Metrics
from mlops_assets.serving.watcher import RegistryWatcher


def health_routes(watcher: RegistryWatcher, metrics: Metrics) -> APIRouter:
    """`GET /health`, always 200 while the process lives; `GET /health/ready`, 503 until a model is served; `GET /metrics`."""
    router = APIRouter(tags=["health"])

    @router.get("/health", summary="Live, ready, and each model")
    async def health() -> Health:
        return health_of(watcher)

    @router.get("/health/ready", summary="For readiness probes", responses={503: {"model": Health, "description": "No model is served."}})
    async def ready(response: Response) -> Health:
        found = health_of(watcher)
        response.status_code = 200 if found.ready else 503
        return found

    @router.get("/metrics", summary="For Prometheus", response_class=Response, responses={200: {"content": {CONTENT_TYPE_LATEST: {}}}})
    async def prometheus() -> Response:
        return Response(metrics.render(), headers={"content-type": CONTENT_TYPE_LATEST})

    return router


def health_of(watcher: RegistryWatcher) -> Health:
    """The watcher's state. A system that never had a champion is not ready, which is no fault of the API."""
    models = {
        name: ModelHealth(ready=champion is not None, version=champion.version if champion else None, problem=slot.problem)
        for name, slot in watcher.slots.items()
        for champion in [slot.champion]
    }
    problem, seconds = watcher.registry_problem, watcher.seconds_since_answer
    ready = any(model.ready for model in models.values())
    is_behind = any(slot.problem and (slot.champion or slot.failed_version) for slot in watcher.slots.values())
    degraded = problem is not None or is_behind
    return Health(
        status="unavailable" if not ready else "degraded" if degraded else "ok",
        live=True,
        ready=ready,
        registry=RegistryHealth(reachable=problem is None, seconds_since_answer=seconds, problem=problem),
        models=models,
    )
