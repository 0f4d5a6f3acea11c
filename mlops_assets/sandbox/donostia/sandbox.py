"""The sandbox's feed: a local stand-in for the city's car park service, on loopback.

Here belongs how the parts become one thing to start and stop.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.sandbox.donostia.city import GeneratedCity
from mlops_assets.sandbox.donostia.faults import Fault
from mlops_assets.sandbox.donostia.feed import PATH, ParkingFeed
from mlops_assets.sandbox.donostia.replay import ReplayedSnapshots
from mlops_assets.sandbox.faults import Faults
from mlops_assets.sandbox.running import Sandbox


def utc_now() -> datetime:
    """The computer's clock."""
    return datetime.now(UTC)


class DonostiaSandbox(Sandbox):
    """The feed as a context manager: it listens from `__enter__` to `__exit__`. `port` 0 takes a free one.

    `clock` (time zone aware) says what is now. Generated counts exist for any time; `replay` serves the snapshots of a folder instead,
    and says of each when it was captured. `stats` gives each request's time asked for and answered.
    """

    def __init__(
        self,
        *,
        seed: int = 42,
        replay: Path | None = None,
        clock: Callable[[], datetime] = utc_now,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._snapshots = GeneratedCity(seed).at if replay is None else ReplayedSnapshots(replay).at
        self._feed = ParkingFeed(self._snapshots, clock, archive=replay is not None)
        super().__init__(self._feed, host, port)

    @property
    def url(self) -> str:
        """The feed's whole address. RuntimeError when it does not listen."""
        return f"{self.origin}{PATH}"

    @property
    def faults(self) -> Faults[Fault]:
        """Misbehaviour to come: `sandbox.faults.add("free", parking="Easo", value="1.234")`."""
        return self._feed.faults

    def counts(self, moment: datetime) -> dict[str, str]:
        """`libres` by name as the feed shows them at a time, without faults. LookupError before a replay's first snapshot."""
        snapshot = self._snapshots(moment)
        if snapshot is None:
            raise LookupError(f"there is no snapshot at or before {moment}")
        return dict(snapshot.free)
