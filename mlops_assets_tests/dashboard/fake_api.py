"""A stand-in of the prediction API: its JSON over real HTTP, for any system, with made-up champions and switches for what may go wrong.

Here is what systems that classify records answer; `fake_forecasts` has the others.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from mlops_assets.domain import RequestField, TabularDomain
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets_tests.dashboard.fake_forecasts import ServedSeries

MULTICLASS_METRICS = {"accuracy": 0.934, "log_loss": 0.2105, "macro_f1": 0.8912, "mcc": 0.892, "rows": 12000, "f1_0": 0.93, "f1_1": 0.95}
BINARY_METRICS = {"average_precision": 0.776, "roc_auc": 0.891, "mcc": 0.638, "log_loss": 0.281, "rows": 53021}
MAX_RECORDS = 10_000


@dataclass
class Served:
    """One system: how many versions it has, which one is champion (0: none), and whether there are observations."""

    domain: TabularDomain
    newest: int = 3
    champion: int = 2
    observations: int = 400

    def summary(self) -> dict[str, Any]:
        ready = self.champion > 0
        return {
            "name": self.domain.name,
            "registered_model": self.domain.model_name,
            "title": self.domain.title,
            "description": self.domain.description,
            "task": "multiclass" if self.domain.classes else "binary",
            "ready": ready,
            "version": str(self.champion) if ready else None,
            "metrics": self.metrics(self.champion) if ready else {},
            "trained_at": "2026-03-04T05:06:07Z" if ready else None,
        }

    def detail(self) -> dict[str, Any]:
        return {
            **self.summary(),
            "request": [_field(field) for field in self.domain.request],
            "features": [*self.domain.features.numeric],
            "classes": {str(code): name for code, name in self.domain.classes.items()} or None,
            "candidate": "xgboost",
            "params": {"n_estimators": 400, "max_depth": 10},
            "threshold": None if self.domain.classes else 0.41,
            "engine": "onnx",
            "engine_note": None,
            "lineage": {
                "partition": "10",
                "dagster_run_id": "5f0c1a52-0000-4000-8000-000000000000",
                "git_commit": "0123456789abcdef",
                "code_version": "c0de",
                "upstream": {f"{self.domain.name}/enriched": {f"{batch:02}": f"{batch:032x}" for batch in range(1, 11)}},
            },
            "links": {"mlflow": "http://127.0.0.1:5000/#/models/x", "dagster": "http://127.0.0.1:3000/runs/y"},
            "example": {field.name: field.example for field in self.domain.request},
        }

    def metrics(self, version: int) -> dict[str, float]:
        metrics = MULTICLASS_METRICS if self.domain.classes else BINARY_METRICS
        return {name: value if name == "rows" else round(value - (self.newest - version) / 50, 4) for name, value in metrics.items()}

    def versions(self) -> dict[str, Any]:
        aliases = {self.newest: ["challenger"], self.champion: ["champion"]}
        return {
            "versions": [
                {
                    "version": str(version),
                    "aliases": aliases.get(version, []),
                    "metrics": self.metrics(version),
                    "created_at": f"2026-03-{version:02}T05:06:07Z",
                    "candidate": "xgboost",
                    "partition": "10",
                    "run_id": f"run{version}",
                }
                for version in range(self.newest, 0, -1)
            ]
        }

    def data(self, rows: int) -> dict[str, Any]:
        draw = random.Random(7)  # noqa: S311 - made-up data
        rows = min(rows, self.observations)
        labels = [draw.choice([*self.domain.classes] or [False, True]) for _ in range(rows)]
        columns: dict[str, list[Any]] = {self.domain.id_column: [f"id{row}" for row in range(rows)], self.domain.target: labels}
        for field_ in self.domain.request:
            if field_.name not in columns:
                columns[field_.name] = [_drawn(draw, field_, int(label)) for label in labels]
        return {"rows": rows, "partitions": {"01": rows // 2, "02": rows - rows // 2}, "columns": columns}

    def predict(self, records: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        errors = [error for row, record in enumerate(records) for error in self._errors(row, record)]
        if errors:
            return 422, {"detail": f"{len(errors)} values cannot be used", "errors": errors}
        if self.domain.classes:
            share = 1 / (len(self.domain.classes) + 1)
            labels: list[Any] = [row % len(self.domain.classes) for row in range(len(records))]
            chances: list[Any] = [[share * (2 if code == label else 1) for code in self.domain.classes] for label in labels]
        else:
            labels, chances = [True] * len(records), [0.75] * len(records)
        return 200, {"model": self.domain.name, "model_version": str(self.champion), "predictions": labels, "probabilities": chances}

    def _errors(self, row: int, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        needed = [field.name for field in self.domain.request if field.required and field.name not in record]
        too_low = [name for name, value in record.items() if isinstance(value, float) and value < -9000]
        return [
            *({"record": row, "field": name, "message": "is missing"} for name in needed),
            *({"record": row, "field": name, "message": "is too low"} for name in too_low),
        ]


@dataclass
class FakeApi:
    """The stand-in; `with` starts and stops it. `requests` lists (method, path, number of records) of every call."""

    served: dict[str, Served | ServedSeries]
    key: str = ""
    key_for_everything: bool = False
    fault: tuple[int, bytes] | None = None
    """Status and body of every answer."""
    fault_after_predictions: int | None = None
    """Every later prediction fails."""
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    bodies: list[list[dict[str, Any]]] = field(default_factory=list)
    """The records of every prediction."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The body of every forecast."""
    url: str = ""

    @classmethod
    def of_all_systems(cls) -> Self:
        """Two systems that classify, of more than two classes and of two, and one that forecasts."""
        served = (Served(FOREST_COVER), Served(CHICAGO_CRIME), ServedSeries(DONOSTIA_PARKING))
        return cls({one.domain.name: one for one in served})

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", int(urlsplit(self.url).port or 0)), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, target: str, key: str, body: Any) -> tuple[int, Any]:
        """Status and JSON."""
        parts = urlsplit(target)
        records = body.get("records", []) if body else []
        self.requests.append((method, parts.path, len(records)))
        self.keys.append(key)
        closed = method == "POST" or (self.key_for_everything and parts.path != "/health")
        if self.key and key != self.key and closed:
            return 401, {"detail": "Give a valid API key as X-API-Key.", "errors": []}
        match parts.path.strip("/").split("/"):
            case ["health"]:
                return 200, {"status": "ok", "live": True, "ready": True}
            case ["models"]:
                return 200, {"models": [served.summary() for served in self.served.values()]}
            case ["models", name, *rest] if name in self.served:
                served, query = self.served[name], parse_qs(parts.query)
                if isinstance(served, ServedSeries):
                    return self._of_series(served, rest, query, body)
                return self._of_model(served, rest, query, records)
            case _:
                return 404, {"detail": f"There is no {target}.", "errors": []}

    def _of_model(self, served: Served, rest: list[str], query: dict[str, list[str]], records: list[dict[str, Any]]) -> tuple[int, Any]:
        match rest:
            case []:
                return 200, served.detail()
            case ["versions"]:
                return 200, served.versions()
            case ["data"] if not served.observations:
                return 404, {"detail": f"{served.domain.name} has no observations yet.", "errors": []}
            case ["data"]:
                return 200, served.data(int(query["rows"][0]))
            case ["predict"] if not served.champion:
                return 503, {"detail": f"{served.domain.name} has no champion.", "errors": []}
            case ["predict"] if len(records) > MAX_RECORDS:
                return 413, {"detail": f"At most {MAX_RECORDS} records.", "errors": []}
            case _ if self.fault_after_predictions is not None and len(self.bodies) >= self.fault_after_predictions:
                return 500, {"detail": "the server failed on this request", "errors": []}
            case _:
                self.bodies.append(records)
                return served.predict(records)

    def _of_series(self, served: ServedSeries, rest: list[str], query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        match rest:
            case []:
                return 200, served.detail()
            case ["versions"]:
                return 200, served.versions()
            case ["history"] if not served.observations:
                return 404, {"detail": f"{served.domain.name} has no observations yet.", "errors": []}
            case ["history"]:
                return 200, served.history(int(query["hours"][0]))
            case ["accuracy"]:
                return 200, served.accuracy(int(query["days"][0]), query.get(served.domain.id_column, [None])[0])
            case ["forecast"] if not served.champion:
                return 503, {"detail": f"{served.domain.name} has no champion.", "errors": []}
            case ["forecast"]:
                self.asked.append(body)
                return served.forecast(body["horizon"], body[served.domain.id_column])
            case _:
                return 404, {"detail": f"{served.domain.name} forecasts series.", "errors": []}


def _field(field: RequestField) -> dict[str, Any]:
    names = ("name", "type", "required", "nullable", "categories", "description", "example")
    return {name: getattr(field, name) for name in names}


def _drawn(draw: random.Random, field: RequestField, label: int) -> Any:
    if field.categories:
        return draw.choice(field.categories)
    if field.type in ("double", "long"):
        return round(float(field.example) * (1 + 0.05 * label) + draw.gauss(0, 40), 1)
    return field.example


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            status, answer = api.answer(self.command, self.path, self.headers.get("X-API-Key", ""), body)
            content = json.dumps(answer).encode()
            if api.fault:
                status, content = api.fault
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    return Handler
