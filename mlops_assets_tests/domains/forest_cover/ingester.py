"""A process that ingests, for tests that halt and kill it: `ingester.py` says the port it listens at, and forks for each connection.

The fork says its process id. Each line it gets is a run to make, {"environment": {...}, "batches": [first, last], "halt_at": a place or
null}; it says how the run ended. At the place to halt at it says the place, and goes on after one more line. It forks because importing
the platform takes longer than a run.
"""

import json
import os
import socketserver
import sys
from importlib import import_module
from typing import Any

import dagster as dg
import pytest

from mlops_assets.definitions import defs
from mlops_assets.domain import Table
from mlops_assets.domains.forest_cover import ingest
from mlops_assets.domains.forest_cover.landing import Landing
from mlops_assets.domains.forest_cover.spec import SAMPLES
from mlops_assets.resources.forest_api import ForestApiClient
from mlops_assets.storage.warehouse import Transaction, stamps

JOB = defs.resolve_job_def("forest_cover_ingest")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
IMPORTED_BY_RUNS = [
    "dagster._core.storage.sqlite_storage",
    "mlops_assets.storage.artifact",
    "mlops_assets.storage.warehouse.duckdb_engine",
    "mlops_assets.storage.warehouse.postgres_engine",
    "pandera.strategies.pandas_strategies",
]
PLACES: dict[str, tuple[Any, str]] = {
    "received": (ForestApiClient, "fetch"),
    "landed": (Landing, "accept"),
    "collected": (ingest, "collect"),
    "merging": (Transaction, "write"),
    "merged": (stamps, "write_partitions"),
}
"""Place -> the function that the run has just left; of the writes to tables it is the one of the samples."""


class Ingester(socketserver.StreamRequestHandler):
    """One connection, in its fork."""

    def handle(self) -> None:
        self._say(os.getpid())
        for line in self.rfile:
            request = json.loads(line)
            os.environ.update(request["environment"])
            with pytest.MonkeyPatch.context() as patch:
                if request["halt_at"]:
                    self._halt_at(patch, *PLACES[request["halt_at"]], request["halt_at"])
                self._say("success" if _succeeds(*request["batches"]) else "failure")

    def _halt_at(self, patch: pytest.MonkeyPatch, owner: Any, name: str, place: str) -> None:
        function = getattr(owner, name)

        def halting(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            if all(argument == SAMPLES for argument in arguments if isinstance(argument, Table)):
                self._say(place)
                self.rfile.readline()
            return result

        patch.setattr(owner, name, halting)

    def _say(self, word: object) -> None:
        self.wfile.write(f"{word}\n".encode())


def _succeeds(first: str, last: str) -> bool:
    """Runs the job; in a range of one batch, as the sensor does."""
    partition = first if first == last else None
    tags = {} if partition else {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    with dg.DagsterInstance.get() as instance:
        run = JOB.execute_in_process(run_config=QUIET, instance=instance, partition_key=partition, tags=tags, raise_on_error=False)
        return run.success


if __name__ == "__main__":
    for module in IMPORTED_BY_RUNS:
        import_module(module)
    with socketserver.ForkingTCPServer(("127.0.0.1", 0), Ingester) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()
