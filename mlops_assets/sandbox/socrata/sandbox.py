"""The sandbox's Socrata portal: a local stand-in for data.cityofchicago.org that speaks SODA 2 on loopback.

Here belongs how the parts become one thing to start and stop; `SocrataSandbox` is for tests and benchmarks, `serve` for the command line.
"""

import signal
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self

from mlops_assets.sandbox.socrata.chicago import GeneratedCrimes
from mlops_assets.sandbox.socrata.faults import Faults
from mlops_assets.sandbox.socrata.portal import Portal
from mlops_assets.sandbox.socrata.replay import ReplayedCrimes, replayed_stations
from mlops_assets.sandbox.socrata.revisions import RevisionLog
from mlops_assets.sandbox.socrata.server import PortalServer
from mlops_assets.sandbox.socrata.stations import built_in_stations, station_partition
from mlops_assets.sandbox.socrata.tables import CRIME_TYPES, CRIMES, STATION_TYPES, STATIONS, Dataset, Partition


class SocrataSandbox:
    """The portal as a context manager: it listens from `__enter__` to `__exit__`.

    Generated months end with the last one complete before `today` (None: the real day); `rows_per_month` None follows the real
    seasons, about 22,000 rows. `replay` serves the exports of a folder instead. `port` 0 takes a free one. With `required_token`,
    requests without it get 403.
    """

    def __init__(
        self,
        *,
        seed: int = 42,
        replay: Path | None = None,
        today: date | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        required_token: str | None = None,
        rows_per_month: int | None = None,
    ) -> None:
        self._address = (host, port)
        self._revisions = RevisionLog(seed)
        published = _published(seed, replay, today, rows_per_month)
        stations = station_partition((replay and replayed_stations(replay)) or built_in_stations())
        self._crimes = Dataset(CRIME_TYPES, lambda: self._revisions.apply(published()))
        datasets = {CRIMES: self._crimes, STATIONS: Dataset(STATION_TYPES, lambda: iter([stations]))}
        self._portal = Portal(datasets, required_token)
        self._server: PortalServer | None = None

    def __enter__(self) -> Self:
        """Starts to listen."""
        self._server = PortalServer(self._address, self._portal, self.revise)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="socrata-sandbox")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops, and ends open connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    @property
    def url(self) -> str:
        """Where it listens: http://127.0.0.1:port. RuntimeError when it does not."""
        if self._server is None:
            raise RuntimeError("the sandbox is not running: use it as a context manager")
        return f"http://{self._address[0]}:{self._server.server_port}"

    @property
    def faults(self) -> Faults:
        """Misbehaviour to come: `sandbox.faults.add("status", status=503)`."""
        return self._portal.faults

    def stats(self) -> dict[str, dict[str, Any]]:
        """Requests and rows served, per dataset and month; see `Portal.stats`."""
        return self._portal.stats()

    def reset_stats(self) -> None:
        """Sets every counter to zero."""
        self._portal.reset_stats()

    def revise(self, month: str, rows: int = 0, add_rows: int = 0) -> str:
        """Turns `rows` labels of a month (YYYY-MM) into arrests and adds `add_rows` late crimes; returns their `updated_on`.

        No other month changes. ValueError when there is no such month or it has too few rows without an arrest.
        """
        for partition in self._crimes.partitions():
            if partition.month == month:
                return self._revisions.revise(partition, rows, add_rows)
        raise ValueError(f"the sandbox has no month {month!r}")


def serve(*, ready: Callable[[str], None] | None = None, **options: Any) -> None:
    """Runs a `SocrataSandbox` with these options until SIGTERM or SIGINT; `ready` gets its URL. Call it in the main thread."""
    # Of all that could be waited for only this queue may be filled by a handler that a second signal interrupts.
    ended: SimpleQueue[int] = SimpleQueue()
    previous = {number: signal.signal(number, lambda number, _: ended.put(number)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with SocrataSandbox(**options) as sandbox:
            if ready is not None:
                ready(sandbox.url)
            ended.get()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _published(seed: int, replay: Path | None, today: date | None, rows_per_month: int | None) -> Callable[[], Iterator[Partition]]:
    """The months as first published."""
    if replay is not None:
        return ReplayedCrimes(replay).partitions
    crimes = GeneratedCrimes(seed, rows_per_month)
    return lambda: crimes.partitions(today or date.today())
