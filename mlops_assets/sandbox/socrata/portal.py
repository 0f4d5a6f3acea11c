"""The portal behind the HTTP server: datasets, app tokens, counters; a request's parameters in, an answer out.

Here belongs what the portal decides; SoQL is in `soql`, `binding` and `execution`, sockets are in the sandboxes' `server`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from email.message import Message
from email.utils import format_datetime
from itertools import count
from threading import Lock
from typing import Any

import numpy as np

from mlops_assets.sandbox.faults import TRANSPORT_KINDS, Faults, refusal
from mlops_assets.sandbox.server import Reply
from mlops_assets.sandbox.socrata.binding import bind
from mlops_assets.sandbox.socrata.evaluation import holds_for
from mlops_assets.sandbox.socrata.execution import Answer, execute
from mlops_assets.sandbox.socrata.faults import Fault, spoil
from mlops_assets.sandbox.socrata.soql import parse_query
from mlops_assets.sandbox.socrata.syntax import SoqlError
from mlops_assets.sandbox.socrata.tables import Dataset, Partition, render_rows

JSON_TYPE = "application/json;charset=utf-8"


def error_reply(status: int, code: str, message: str, data: Mapping[str, object] | None = None) -> Reply:
    """An error in the portal's form."""
    body: dict[str, object] = {"code": code, "error": True, "message": message}
    if data:
        body["data"] = data
    return Reply(status, json.dumps(body).encode(), {"Content-Type": JSON_TYPE})


class Portal:
    """Answers queries over its datasets. `required_token` None lets everybody in. Safe to use from several threads."""

    compresses = True

    def __init__(self, datasets: Mapping[str, Dataset], required_token: str | None = None) -> None:
        self.faults = Faults(Fault)
        self._datasets = datasets
        self._required_token = required_token
        self._request_number = count()
        self._lock = Lock()
        self._stats: dict[str, dict[str, Any]] = {}
        self.reset_stats()

    def stats(self) -> dict[str, dict[str, Any]]:
        """Per dataset `requests`, `rows` served and, for each month, rows served and requests for that month alone."""
        with self._lock:
            copy: dict[str, dict[str, Any]] = json.loads(json.dumps(self._stats))
        return copy

    def reset_stats(self) -> None:
        """Sets every counter to zero."""
        with self._lock:
            self._stats = {name: {"requests": 0, "rows": 0, "months": {}} for name in self._datasets}

    def get(self, path: str, parameters: Mapping[str, str], headers: Message) -> Reply:
        """The answer to a GET request for a dataset; the app token is a header or a parameter."""
        if not (path.startswith("/resource/") and path.endswith(".json")):
            return error_reply(404, "not_found", f"The sandbox serves nothing at {path}")
        query = {name: value for name, value in parameters.items() if name != "$$app_token"}
        token = parameters.get("$$app_token") or headers.get("X-App-Token")
        return self.query(path.removeprefix("/resource/").removesuffix(".json"), query, token)

    def query(self, name: str, parameters: Mapping[str, str], token: str | None) -> Reply:
        """The answer to `GET /resource/<name>.json`."""
        if name not in self._datasets:
            return error_reply(404, "dataset.missing", "Not found", {"id": name})
        if self._required_token is not None and token != self._required_token:
            self._count(name, [], None)
            return error_reply(403, "permission_denied", "Invalid app_token specified")
        dataset = self._datasets[name]
        partitions = list(dataset.partitions())
        touched = _touched_months(parameters, dataset, partitions)
        struck = self.faults.strike(lambda fault: fault.matches(name, touched, has_token=token is not None))
        transport = [fault for fault in struck if fault.kind in TRANSPORT_KINDS]
        for fault in struck:
            if fault.kind not in TRANSPORT_KINDS:
                dataset, partitions = spoil(dataset, partitions, fault)
        refusing = refusal(transport)
        if refusing is not None:
            self._count(name, touched, None)
            return replace(_refuse(refusing), faults=transport)
        try:
            reply, answer = self._answer(dataset, partitions, parameters)
        except SoqlError as error:
            self._count(name, touched, None)
            return replace(_soql_error(error), faults=transport)
        self._count(name, touched, answer)
        return replace(reply, faults=transport)

    def _answer(self, dataset: Dataset, partitions: Sequence[Partition], parameters: Mapping[str, str]) -> tuple[Reply, Answer]:
        system_fields = parameters.get("$$exclude_system_fields", "true").lower() == "false"
        query = bind(parse_query(parameters), dataset.types, system_fields=system_fields)
        answer = execute(query, partitions, dataset.types, np.random.default_rng())
        fields = [item.name for item in query.select]
        types = dict(zip(fields, query.types, strict=True))
        newest = max((partition.newest for partition in partitions), default="1970-01-01T00:00:00.000Z")
        modified = format_datetime(datetime.fromisoformat(newest), usegmt=True)
        headers = {
            "Content-Type": JSON_TYPE,
            "X-SODA2-Fields": json.dumps(fields),
            "X-SODA2-Types": json.dumps(list(query.types)),
            "X-SODA2-Data-Out-Of-Date": "false",
            "X-SODA2-Truth-Last-Modified": modified,
            "X-SODA2-Secondary-Last-Modified": modified,
            "Last-Modified": modified,
            "X-Socrata-RequestId": f"{next(self._request_number):032x}",
            "X-Socrata-Region": "sandbox",
            "Access-Control-Allow-Origin": "*",
        }
        return Reply(200, render_rows(answer.table, types), headers), answer

    def _count(self, name: str, touched: Sequence[str], answer: Answer | None) -> None:
        with self._lock:
            stats = self._stats[name]
            stats["requests"] += 1
            if len(touched) == 1:
                _month(stats, touched[0])["requests"] += 1
            if answer is not None:
                stats["rows"] += answer.table.num_rows
                for month, rows in answer.months.items():
                    _month(stats, month)["rows"] += rows


def _month(stats: dict[str, Any], month: str) -> dict[str, int]:
    counters: dict[str, int] = stats["months"].setdefault(month, {"requests": 0, "rows": 0})
    return counters


def _touched_months(parameters: Mapping[str, str], dataset: Dataset, partitions: Sequence[Partition]) -> list[str]:
    """The months that the query has to look at; none when it is wrong."""
    try:
        where = bind(parse_query(parameters), dataset.types, system_fields=False).where
    except SoqlError:
        return []
    return [partition.month for partition in partitions if partition.month is not None and holds_for(where, partition) is not False]


def _refuse(fault: Fault) -> Reply:
    names = {429: "too_many_requests", 503: "service_unavailable"}
    reply = error_reply(fault.status, names.get(fault.status, "internal_error"), "The sandbox was asked to refuse this request")
    return replace(reply, headers={**reply.headers, **fault.headers})


def _soql_error(error: SoqlError) -> Reply:
    if not error.code.startswith("query.soql"):
        return error_reply(400, error.code, error.message, error.data)
    position = "Map(row -> 1, column -> 1)"
    return error_reply(400, error.code, f"Query coordinator error: {error.code}; {error.message}; position: {position}", error.data)
