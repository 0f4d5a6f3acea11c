"""The sandbox's batch API: a local stand-in for the service that hands out forest cover samples, on loopback.

Here belongs how the parts become one thing to start and stop.
"""

import time
from collections.abc import Callable
from pathlib import Path

from mlops_assets.sandbox.faults import Faults
from mlops_assets.sandbox.forest_cover.api import BatchApi, Served
from mlops_assets.sandbox.forest_cover.faults import Fault
from mlops_assets.sandbox.forest_cover.replay import ReplayedSamples
from mlops_assets.sandbox.forest_cover.terrain import GeneratedSamples
from mlops_assets.sandbox.running import Sandbox


class ForestCoverSandbox(Sandbox):
    """The API as a context manager: it listens from `__enter__` to `__exit__`. `port` 0 takes a free one.

    Generated batches have `batch_rows` rows (the real ones 58,101), of which a call gets a new random tenth, or with `whole_batches`
    all. `replay` serves the samples of a folder instead. The next batch comes `batch_seconds` of `clock` after the present one was
    first served; 0: with every call. `stats` gives the number of requests, and group, batch, rows and faults of each answer with data.
    """

    def __init__(
        self,
        *,
        seed: int = 42,
        replay: Path | None = None,
        batch_seconds: float = 300.0,
        whole_batches: bool = False,
        batch_rows: int = 12_000,
        clock: Callable[[], float] = time.monotonic,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        batch = GeneratedSamples(seed, batch_rows).batch if replay is None else ReplayedSamples(replay).batch
        self._api = BatchApi(batch, batch_seconds, whole_batches=whole_batches, seed=seed, clock=clock)
        super().__init__(self._api, host, port)

    @property
    def faults(self) -> Faults[Fault]:
        """Misbehaviour to come: `sandbox.faults.add("short_row", share=0.3)`."""
        return self._api.faults

    @property
    def served(self) -> tuple[Served, ...]:
        """Every answer with data since the start or the last reset, oldest first; over HTTP `GET /_sandbox/served`."""
        return self._api.served()
