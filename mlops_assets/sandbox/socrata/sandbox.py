"""The sandbox's Socrata portal: a local stand-in for data.cityofchicago.org that speaks SODA 2 on loopback.

Here belongs how the parts become one thing to start and stop.
"""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from mlops_assets.sandbox.faults import Faults
from mlops_assets.sandbox.running import Sandbox
from mlops_assets.sandbox.socrata.chicago import GeneratedCrimes
from mlops_assets.sandbox.socrata.faults import Fault
from mlops_assets.sandbox.socrata.portal import Portal
from mlops_assets.sandbox.socrata.replay import ReplayedCrimes, replayed_stations
from mlops_assets.sandbox.socrata.revisions import RevisionLog
from mlops_assets.sandbox.socrata.stations import built_in_stations, station_partition
from mlops_assets.sandbox.socrata.tables import CRIME_TYPES, CRIMES, STATION_TYPES, STATIONS, Dataset, Partition


class SocrataSandbox(Sandbox):
    """The portal as a context manager: it listens from `__enter__` to `__exit__`.

    Generated months end with the last one complete before `today` (None: the real day); `rows_per_month` None follows the real
    seasons, about 22,000 rows. `replay` serves the exports of a folder instead. `port` 0 takes a free one. With `required_token`,
    requests without it get 403. `stats` gives requests and rows served, per dataset and month; see `Portal.stats`.
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
        self._revisions = RevisionLog(seed)
        published = _published(seed, replay, today, rows_per_month)
        stations = station_partition((replay and replayed_stations(replay)) or built_in_stations())
        self._crimes = Dataset(CRIME_TYPES, lambda: self._revisions.apply(published()))
        datasets = {CRIMES: self._crimes, STATIONS: Dataset(STATION_TYPES, lambda: iter([stations]))}
        self._portal = Portal(datasets, required_token)
        super().__init__(self._portal, host, port, {"revise": self.revise})

    @property
    def faults(self) -> Faults[Fault]:
        """Misbehaviour to come: `sandbox.faults.add("status", status=503)`."""
        return self._portal.faults

    def revise(self, month: str, rows: int = 0, add_rows: int = 0) -> str:
        """Turns `rows` labels of a month (YYYY-MM) into arrests and adds `add_rows` late crimes; returns their `updated_on`.

        No other month changes. ValueError when there is no such month or it has too few rows without an arrest.
        """
        for partition in self._crimes.partitions():
            if partition.month == month:
                return self._revisions.revise(partition, rows, add_rows)
        raise ValueError(f"the sandbox has no month {month!r}")


def _published(seed: int, replay: Path | None, today: date | None, rows_per_month: int | None) -> Callable[[], Iterator[Partition]]:
    """The months as first published."""
    if replay is not None:
        return ReplayedCrimes(replay).partitions
    crimes = GeneratedCrimes(seed, rows_per_month)
    return lambda: crimes.partitions(today or date.today())
