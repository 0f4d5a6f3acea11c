"""The feed behind the HTTP server: the state of now, or of a time that the client names (Memento, RFC 7089).

Here belongs what the feed answers; sockets are in the sandboxes' `server`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from threading import Lock
from typing import Any

from mlops_assets.sandbox.donostia.faults import Fault
from mlops_assets.sandbox.donostia.parkings import Snapshot, Snapshots, named
from mlops_assets.sandbox.faults import TRANSPORT_KINDS, Faults, refusal
from mlops_assets.sandbox.server import Reply

PATH = "/info/ciudadano/camaras_trafico.nsf/getParkings.xsp"
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"


@dataclass(frozen=True, slots=True)
class Call:
    """One request and what came of it: its Accept-Datetime and the answer's Memento-Datetime, None without them, and the faults' kinds."""

    accept: str | None
    memento: str | None
    status: int
    faults: tuple[str, ...]


class ParkingFeed:
    """Answers requests for the car parks. Safe to use from several threads.

    `clock` says what is now, and is the Date of every answer. A time that the client names is never later than that. An answer from an
    `archive` says always when it was captured, one from a live feed only to a client that named a time.
    """

    compresses = False

    def __init__(self, snapshots: Snapshots, clock: Callable[[], datetime], *, archive: bool) -> None:
        self.faults = Faults(Fault)
        self._snapshots = snapshots
        self._clock = clock
        self._archive = archive
        self._lock = Lock()
        self._calls: list[Call] = []

    def stats(self) -> dict[str, Any]:
        """`requests`, and for each of them, oldest first, the times asked for and answered, its status and faults."""
        return {"requests": len(self._calls), "calls": [asdict(call) | {"faults": list(call.faults)} for call in tuple(self._calls)]}

    def reset_stats(self) -> None:
        """Forgets the requests."""
        with self._lock:
            self._calls.clear()

    def get(self, path: str, parameters: Mapping[str, str], headers: Message) -> Reply:  # noqa: ARG002 - any server's signature
        """The answer to a GET request."""
        now = self._clock()
        if path != PATH:
            return _text(404, "Not Found", {"Date": _http_date(now)})
        accept = headers.get("Accept-Datetime")
        try:
            moment = now if accept is None else min(now, datetime.strptime(accept.strip(), HTTP_DATE).replace(tzinfo=UTC))
        except ValueError:
            return self._count(accept, _text(400, f"Accept-Datetime is no date as HTTP writes it: {accept}", {"Date": _http_date(now)}))
        struck = self.faults.strike(lambda fault: fault.matches(moment))
        skew = sum(fault.skew_seconds for fault in struck if fault.kind == "clock_skew")
        common = {"Date": _http_date(now + timedelta(seconds=skew)), "Vary": "accept-datetime"}
        return self._count(accept, self._answer(moment, struck, common, memento=self._archive or accept is not None), struck)

    def _answer(self, moment: datetime, struck: Sequence[Fault], headers: Mapping[str, str], *, memento: bool) -> Reply:
        transport = [fault for fault in struck if fault.kind in TRANSPORT_KINDS]
        refusing = refusal(transport)
        if refusing is not None:
            return _text(refusing.status, "The sandbox was asked to refuse this request", {**headers, **refusing.headers}, transport)
        snapshot = self._snapshots(moment)
        if snapshot is None:
            return _text(404, f"The archive begins after {_http_date(moment)}", headers, transport)
        if memento:
            headers = {**headers, "Memento-Datetime": _http_date(snapshot.captured_at)}
        return _collection(self._features(snapshot, struck), headers, struck, transport)

    def _features(self, snapshot: Snapshot, struck: Sequence[Fault]) -> list[dict[str, Any]]:
        free = dict(snapshot.free)
        for fault in struck:
            then = fault.stopped_at and self._snapshots(fault.stopped_at)
            free = fault.stop(free, then.free) if then else free
        features = [named(name).feature(count) for name, count in free.items()]
        for fault in struck:
            features = fault.spoil(features)
        return features

    def _count(self, accept: str | None, reply: Reply, struck: Sequence[Fault] = ()) -> Reply:
        with self._lock:
            self._calls.append(Call(accept, reply.headers.get("Memento-Datetime"), reply.status, tuple(fault.kind for fault in struck)))
        return reply


def _collection(
    features: Sequence[dict[str, Any]], headers: Mapping[str, str], struck: Sequence[Fault], transport: Sequence[Fault]
) -> Reply:
    collection = {"type": "FeatureCollection", "name": "parkings", "count": len(features), "features": features}
    text = json.dumps(collection, separators=(",", ":"), ensure_ascii=False)
    latin = next((fault for fault in struck if fault.kind == "latin1"), None)
    if latin is None:
        return Reply(200, text.encode(), {"Content-Type": "application/json; charset=utf-8", **headers}, transport)
    content_type = "application/json; charset=ISO-8859-1" if latin.charset else "application/json"
    return Reply(200, text.encode("latin-1", "replace"), {"Content-Type": content_type, **headers}, transport)


def _text(status: int, text: str, headers: Mapping[str, str], faults: Sequence[Fault] = ()) -> Reply:
    return Reply(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8", **headers}, faults)


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)
