"""Predictions: from the bytes of a request to the bytes of the answer, with nothing in between that a single record does not need.

Plain Starlette routes, because FastAPI's own handling of a request costs as much as the model; `schema.py` describes them by hand.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from mlops_assets.domain import TabularDomain
from mlops_assets.ml.request import InvalidRecordsError
from mlops_assets.ml.served import Answer
from mlops_assets.serving.auth import ApiKeys
from mlops_assets.serving.body import read_json_body
from mlops_assets.serving.champion import Classifier
from mlops_assets.serving.errors import JSON
from mlops_assets.serving.metrics import Metrics
from mlops_assets.serving.records import parse_records, unscorable
from mlops_assets.serving.systems import Systems
from mlops_assets.settings import Settings

RECORDS = "records"
INLINE_BYTES = 16 * 1024
"""A larger body, some fifty records, is answered in a thread, so that it does not hold up the requests beside it."""
THREADS = 2

Render = Callable[[Classifier, Answer], dict[str, Any]]


class PredictionRoute(Route):
    """A Starlette route that tells the metrics its path, as FastAPI's own do."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Starlette's answer, and the route itself."""
        match, child_scope = super().matches(scope)
        return match, {**child_scope, "route": self} if child_scope else child_scope


class Predictions:
    """The routes that score records."""

    def __init__(self, systems: Systems, settings: Settings, keys: ApiKeys, metrics: Metrics) -> None:
        self._systems = systems
        self._max_body_bytes = settings.mlops_api_max_body_bytes
        self._max_records = settings.mlops_api_max_records
        self._keys = keys
        self._metrics = metrics
        self._threads = CapacityLimiter(THREADS)
        self._fields = {domain.name: {field.name: field for field in domain.request} for domain in systems.classifying}

    def routes(self) -> Sequence[Route]:
        """`POST /models/{name}/predict`, and `POST /predict` of the system that has a compatible API."""
        routes = [PredictionRoute("/models/{name}/predict", self.predict, methods=["POST"])]
        if self._systems.compatible:
            routes.append(PredictionRoute("/predict", self.predict_compatibly, methods=["POST"]))
        return routes

    async def predict(self, request: Request) -> Response:
        """`{"records": [...]}` -> model, version, predictions and probabilities."""
        self._keys.require_if_set(request)
        domain = self._systems.tabular(request.path_params["name"])
        return await self._answer(request, domain, RECORDS, _native)

    async def predict_compatibly(self, request: Request) -> Response:
        """The replaced system's request -> `{"predictions": [code, ...], "model_version": "3"}`."""
        self._keys.require_if_set(request)
        domain, records = self._systems.compatible_domain()
        return await self._answer(request, domain, records, _compatible)

    async def _answer(self, request: Request, domain: TabularDomain, key: str, render: Render) -> Response:
        champion = self._systems.champion(domain)
        body = await read_json_body(request, self._max_body_bytes)
        if champion.is_quick and len(body) <= INLINE_BYTES:
            content = self._score(champion, body, key, render)
        else:
            content = await to_thread.run_sync(self._score, champion, body, key, render, limiter=self._threads)
        return Response(content, media_type=JSON)

    def _score(self, champion: Classifier, body: bytes, key: str, render: Render) -> bytes:
        records = parse_records(body, key, self._fields[champion.domain.name], self._max_records)
        try:
            answer = champion.served.answer(records)
        except InvalidRecordsError as error:
            raise unscorable(error) from None
        self._metrics.count_predictions(champion, answer.labels)
        return orjson.dumps(render(champion, answer), option=orjson.OPT_SERIALIZE_NUMPY)


def _native(champion: Classifier, answer: Answer) -> dict[str, Any]:
    probabilities = answer.probabilities if champion.domain.classes else answer.probabilities[:, 1]
    return {
        "model": champion.domain.name,
        "model_version": champion.version,
        "predictions": answer.labels,
        "probabilities": np.ascontiguousarray(probabilities),
    }


def _compatible(champion: Classifier, answer: Answer) -> dict[str, Any]:
    return {"predictions": answer.labels.astype(np.int64), "model_version": champion.version}
