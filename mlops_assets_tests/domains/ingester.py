"""A process that ingests, for tests that halt and kill it: it says the port it listens at, and forks for each connection.

The fork says its process id. Each line it gets is a run to make, {"environment": {...}, "partitions": [first, last], "halt_at": a place or
null}; it says how the run ended. At the place to halt at it says the place, and goes on after one more line, whenever it gets there. It
forks because importing the platform takes longer than a run.
"""

import json
import os
import socketserver
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import dagster as dg
import pytest

from mlops_assets.definitions import defs
from mlops_assets.domain import Table

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
IMPORTED_BY_RUNS = [
    "dagster._core.storage.sqlite_storage",
    "mlops_assets.storage.artifact",
    "mlops_assets.storage.warehouse.duckdb_engine",
    "mlops_assets.storage.warehouse.postgres_engine",
    "pandera.strategies.pandas_strategies",
]


@dataclass(frozen=True, slots=True)
class Place:
    """The function that the run has just left; of those that work on tables, called for this one."""

    owner: Any
    function: str
    table: Table | None = None


def serve(job: str, places: Mapping[str, Place], prepare: Callable[[pytest.MonkeyPatch], object] = lambda _: None) -> None:
    """Never ends. `prepare` is called before each run, when its environment is set."""
    resolved = defs.resolve_job_def(job)

    class Ingester(socketserver.StreamRequestHandler):
        """One connection, in its fork."""

        def handle(self) -> None:
            self._say(os.getpid())
            for line in self.rfile:
                request = json.loads(line)
                os.environ.update(request["environment"])
                with pytest.MonkeyPatch.context() as patch:
                    prepare(patch)
                    if request["halt_at"]:
                        self._halt_at(patch, places[request["halt_at"]], request["halt_at"])
                    self._say("success" if _succeeds(resolved, *request["partitions"]) else "failure")

        def _halt_at(self, patch: pytest.MonkeyPatch, place: Place, name: str) -> None:
            function = getattr(place.owner, place.function)

            def halting(*arguments: Any, **options: Any) -> Any:
                result = function(*arguments, **options)
                if all(argument == place.table for argument in arguments if isinstance(argument, Table)):
                    self._say(name)
                    self.rfile.readline()
                return result

            patch.setattr(place.owner, place.function, halting)

        def _say(self, word: object) -> None:
            self.wfile.write(f"{word}\n".encode())

    for module in IMPORTED_BY_RUNS:
        import_module(module)
    with socketserver.ForkingTCPServer(("127.0.0.1", 0), Ingester) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


def _succeeds(job: dg.JobDefinition, first: str, last: str) -> bool:
    """Runs the job; in a range of one partition, as the platform's own automation does."""
    partition = first if first == last else None
    tags = {} if partition else {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    with dg.DagsterInstance.get() as instance:
        run = job.execute_in_process(run_config=QUIET, instance=instance, partition_key=partition, tags=tags, raise_on_error=False)
        return run.success
