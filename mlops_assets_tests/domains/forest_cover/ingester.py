"""A process that ingests, for tests that halt and kill it: `ingester.py` says the port it listens at, and forks for each connection.

A connection brings one JSON line, {"environment": {...}, "partition": "01", "halt_at": a place or null}. The fork says its process id,
runs the job, and says how it ended. At the place to halt at, it says the place and goes on after one more line. Forks, because importing
the platform takes longer than a run.
"""

import json
import os
import socketserver
import sys
from importlib import import_module
from typing import Any

import dagster as dg

from mlops_assets.definitions import defs
from mlops_assets.domain import Table
from mlops_assets.domains.forest_cover.landing import Landing
from mlops_assets.domains.forest_cover.spec import SAMPLES
from mlops_assets.resources.forest_api import ForestApiClient
from mlops_assets.storage.warehouse import Transaction, stamps

JOB = defs.resolve_job_def("forest_cover_ingest")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
USED_BY_RUNS = [
    "mlops_assets.domains.forest_cover.ingest",
    "mlops_assets.storage.artifact",
    "mlops_assets.storage.warehouse.duckdb_engine",
    "mlops_assets.storage.warehouse.postgres_engine",
]
PLACES: dict[str, tuple[Any, str]] = {
    "received": (ForestApiClient, "fetch"),
    "landed": (Landing, "accept"),
    "merging": (Transaction, "write"),
    "merged": (stamps, "write_partition"),
}
"""Place -> the function that a run has just ended there; of those that write tables, the one that writes the samples."""


class Ingest(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        request = json.loads(self.rfile.readline())
        self._say(os.getpid())
        os.environ.update(request["environment"])
        if request["halt_at"]:
            self._halt_at(request["halt_at"])
        with dg.DagsterInstance.get() as instance:
            result = JOB.execute_in_process(run_config=QUIET, instance=instance, partition_key=request["partition"], raise_on_error=False)
        self._say("success" if result.success else "failure")

    def _halt_at(self, place: str) -> None:
        owner, name = PLACES[place]
        function = getattr(owner, name)

        def halting(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            if all(argument == SAMPLES for argument in arguments if isinstance(argument, Table)):
                self._say(place)
                self.rfile.readline()
            return result

        setattr(owner, name, halting)

    def _say(self, word: object) -> None:
        self.wfile.write(f"{word}\n".encode())


if __name__ == "__main__":
    for module in USED_BY_RUNS:
        import_module(module)
    with socketserver.ForkingTCPServer(("127.0.0.1", 0), Ingest) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()
