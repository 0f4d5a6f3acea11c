"""The batch API behind the HTTP server: groups, the clock of their batches, what was served; parameters in, an answer out.

Here belongs what the API decides, and its errors as FastAPI words them; sockets are in the sandboxes' `server`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from threading import Lock
from typing import Any

import numpy as np

from mlops_assets.sandbox.faults import TRANSPORT_KINDS, Faults, refusal
from mlops_assets.sandbox.forest_cover.faults import Fault
from mlops_assets.sandbox.forest_cover.samples import BATCHES, BatchRows
from mlops_assets.sandbox.server import Reply

GROUPS = 10
SAMPLED = 10
"""A call gets one row in so many."""
COLLECTED = "Ya se recolectó toda la información minima necesaria"
WRONG_GROUP = "Número de grupo inválido"


@dataclass(frozen=True, slots=True)
class Served:
    """One answer with data, as it was sent: its rows, each as JSON, and the kinds of the faults that struck it.

    A client got nothing of an answer struck by `html`, and not all of one struck by `cut` or `invalid_json`.
    """

    group_number: int
    batch_number: int
    json_rows: Sequence[str]
    faults: tuple[str, ...] = ()

    @property
    def rows(self) -> list[list[str]]:
        """The rows' values."""
        return [json.loads(row) for row in self.json_rows]


@dataclass(slots=True)
class Progress:
    """Where a group stands: its present batch, 0 before the first, and when that was first served, in the clock's seconds."""

    batch: int = 0
    since: float = 0.0


class BatchApi:
    """Answers calls over ten batches. Safe to use from several threads.

    A group gets batch 1 at its first call and the next one at the first call at least `batch_seconds` after the present one was first
    served; 0: every call gets the next one. `whole_batches`: a call gets all rows of the batch, not a new random tenth.
    """

    compresses = False

    def __init__(self, batch_rows: BatchRows, batch_seconds: float, *, whole_batches: bool, seed: int, clock: Callable[[], float]) -> None:
        if batch_seconds < 0:
            raise ValueError(f"batch_seconds is {batch_seconds}; it must not be negative")
        self.faults = Faults(Fault)
        self._batch_rows = batch_rows
        self._batch_seconds = batch_seconds
        self._whole_batches = whole_batches
        self._clock = clock
        self._random = np.random.default_rng([seed, BATCHES + 1])
        self._lock = Lock()
        self._groups = {number: Progress() for number in range(1, GROUPS + 1)}
        self._requests = 0
        self._served: list[Served] = []

    def served(self) -> tuple[Served, ...]:
        """Every answer with data since the start or the last reset, oldest first."""
        return tuple(self._served)

    def stats(self) -> dict[str, Any]:
        """`requests` for data, and for each answer with data its group, batch, number of rows and faults."""
        calls = [
            {"group_number": call.group_number, "batch_number": call.batch_number, "rows": len(call.json_rows), "faults": list(call.faults)}
            for call in self.served()
        ]
        return {"requests": self._requests, "calls": calls}

    def reset_stats(self) -> None:
        """Forgets what was served; groups stay where they are."""
        with self._lock:
            self._requests = 0
            self._served.clear()

    def get(self, path: str, parameters: Mapping[str, str], headers: Message) -> Reply:  # noqa: ARG002 - any server's signature
        """The answer to a GET request; `/_sandbox/served` gives the rows of every answer with data."""
        if path == "/_sandbox/served":
            return _json_reply(200, f"[{','.join(map(_served_json, self.served()))}]")
        routes = {"/data": self.data, "/restart_data_generation": self.restart}
        if path not in routes:
            return _detail(404, "Not Found")
        text = parameters.get("group_number")
        group_number = _integer(text)
        if group_number is None:
            return _detail(422, [_invalid_parameter(text)])
        if group_number not in self._groups:
            return _detail(400, WRONG_GROUP)
        return routes[path](group_number)

    def data(self, group_number: int) -> Reply:
        """Rows of the group's batch, which is the next one when it is time for that; 400 after the last."""
        with self._lock:
            self._requests += 1
            batch_number = self._batch_to_serve(group_number)
            struck = self.faults.strike(lambda fault: fault.matches(group_number, batch_number))
            transport = [fault for fault in struck if fault.kind in TRANSPORT_KINDS]
            refusing = refusal(transport)
            if refusing is not None:
                return _detail(refusing.status, "The sandbox was asked to refuse this request", refusing.headers, transport)
            if batch_number is None:
                return _detail(400, COLLECTED, faults=transport)
            rows = self._rows(batch_number)
            self._proceed(group_number, batch_number)
            for fault in struck:
                rows = fault.spoil(rows)
                batch_number = fault.named_batch if fault.kind == "wrong_batch" else batch_number
            call = Served(group_number, batch_number, rows, tuple(fault.kind for fault in struck))
            self._served.append(call)
        return _json_reply(200, _answer(call), faults=transport)

    def restart(self, group_number: int) -> Reply:
        """The group starts again before batch 1."""
        with self._lock:
            self._groups[group_number] = Progress()
        return _json_reply(200, '["ok"]')

    def _batch_to_serve(self, group_number: int) -> int | None:
        group = self._groups[group_number]
        if group.batch and self._clock() - group.since < self._batch_seconds:
            return group.batch
        return group.batch + 1 if group.batch < BATCHES else None

    def _proceed(self, group_number: int, batch_number: int) -> None:
        if self._groups[group_number].batch != batch_number:
            self._groups[group_number] = Progress(batch_number, self._clock())

    def _rows(self, batch_number: int) -> Sequence[str]:
        rows = self._batch_rows(batch_number)
        if self._whole_batches:
            return rows
        chosen = self._random.choice(len(rows), max(1, len(rows) // SAMPLED), replace=False)
        return [rows[position] for position in chosen.tolist()]


def _answer(call: Served) -> str:
    return f'{{"group_number":{call.group_number},"batch_number":{call.batch_number},"data":[{",".join(call.json_rows)}]}}'


def _served_json(call: Served) -> str:
    return f'{{"faults":{json.dumps(call.faults)},{_answer(call).removeprefix("{")}'


def _integer(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


def _invalid_parameter(text: str | None) -> dict[str, Any]:
    problem = (
        {"type": "missing", "loc": ["query", "group_number"], "msg": "Field required"}
        if text is None
        else {
            "type": "int_parsing",
            "loc": ["query", "group_number"],
            "msg": "Input should be a valid integer, unable to parse string as an integer",
        }
    )
    return {**problem, "input": text}


def _detail(status: int, detail: Any, headers: Mapping[str, str] | None = None, faults: Sequence[Fault] = ()) -> Reply:
    return _json_reply(status, json.dumps({"detail": detail}, separators=(",", ":"), ensure_ascii=False), headers, faults)


def _json_reply(status: int, text: str, headers: Mapping[str, str] | None = None, faults: Sequence[Fault] = ()) -> Reply:
    return Reply(status, text.encode(), {"Content-Type": "application/json", **(headers or {})}, faults)
