"""What Prometheus is told: requests, predictions, and how the models and the registry are. Counting must cost a request next to nothing."""

import time
from collections.abc import Iterator
from functools import cache

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlops_assets.serving.champion import Classifier, Forecaster
from mlops_assets.serving.watcher import RegistryWatcher

# A second series for each counter, which says when it began: twice the text, and nobody reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client does not annotate it

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
COMPUTING_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
UNMATCHED = "unmatched"
"""The route of a path that leads nowhere; paths themselves would be without number."""


class Metrics:
    """The metrics of one app, in a registry of their own."""

    def __init__(self, watcher: RegistryWatcher) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Models(watcher))
        requests = Counter("mlops_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry)
        seconds = Histogram("mlops_request_seconds", "Time to the answer.", ["route"], buckets=BUCKETS, registry=self.registry)
        names = ["model", "version", "label"]
        predictions = Counter("mlops_predictions", "Records predicted.", names, registry=self.registry)
        forecasts = Counter("mlops_forecasts", "Forecasts answered.", ["model", "version", "method"], registry=self.registry)
        text = "Time to compute the forecasts of all series of a system, which then are kept."
        computing = Histogram("mlops_forecast_seconds", text, ["model"], buckets=COMPUTING_BUCKETS, registry=self.registry)
        # Looking up a series by its labels costs several times what counting does.
        self._requests = cache(requests.labels)
        self._seconds = cache(seconds.labels)
        self._predictions = cache(predictions.labels)
        self._forecasts = cache(forecasts.labels)
        self._computing = cache(computing.labels)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request that was answered."""
        self._requests(method, route, status).inc()
        self._seconds(route).observe(seconds)

    def count_predictions(self, champion: Classifier, labels: np.ndarray) -> None:
        """The labels [n] that the champion gave."""
        if len(labels) == 1:
            self._predictions(champion.domain.name, champion.version, int(labels[0])).inc()
            return
        for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
            self._predictions(champion.domain.name, champion.version, int(label)).inc(int(count))

    def count_forecast(self, champion: Forecaster, method: str) -> None:
        """One forecast that was answered, by the method that really made it."""
        self._forecasts(champion.domain.name, champion.version, method).inc()

    def observe_forecast(self, champion: Forecaster, seconds: float) -> None:
        """One computation, the history's reading included."""
        self._computing(champion.domain.name).observe(seconds)

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)


class MetricsMiddleware:
    """Counts and times each request by its route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            route = getattr(scope.get("route"), "path", UNMATCHED)
            self._metrics.count_request(scope["method"], route, status, time.perf_counter() - start)


class _Models(Collector):
    """Reads the watcher when it is asked, so that there is no second account of what is loaded."""

    def __init__(self, watcher: RegistryWatcher) -> None:
        self._watcher = watcher

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("mlops_model_info", "The version that is served.", labels=["model", "version"])
        current = GaugeMetricFamily("mlops_model_current", "Whether the registry's champion is the one served.", labels=["model"])
        for name, slot in self._watcher.slots.items():
            if slot.champion:
                info.add_metric([name, slot.champion.version], 1)
            current.add_metric([name], slot.champion is not None and slot.problem is None)
        yield info
        yield current
        reachable = self._watcher.registry_problem is None
        yield GaugeMetricFamily("mlops_registry_reachable", "Whether the registry answered the last poll.", value=reachable)
        seconds = self._watcher.seconds_since_answer
        if seconds is not None:
            yield GaugeMetricFamily("mlops_registry_answer_age_seconds", "Since the registry last answered.", value=seconds)
