"""Reports of dead runs that wait until the daemon can act on them: `python -m mlops_assets.cli.late_reports`, beside a code server.

Dagster's daemon reads a failure at once, and gives up the retry for good if it has not loaded the code again by then.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import dagster as dg
import typer
from dagster._daemon.controller import RELOAD_WORKSPACE_INTERVAL
from dagster._grpc.client import DagsterGrpcClient

from mlops_assets.cli.dead_runs import end_runs
from mlops_assets.cli.instance import open_instance

LOADED_SECONDS = RELOAD_WORKSPACE_INTERVAL + 30
"""The daemon loads its code locations anew at such intervals, and takes some seconds for it."""
HEARTBEAT_SECONDS = 300
"""A daemon that has said nothing for so long is taken to be gone: one that starts loads the code then."""
POLL_SECONDS = 1.0


def report_later(host: str, port: int, run_ids: list[str]) -> None:
    """Starts a process that ends the dead runs once this one has become a code server which the daemon knows.

    It ends without a report if this process ends before: then the next server reports them.
    """
    command = [sys.executable, "-m", "mlops_assets.cli.late_reports", host, str(port), str(os.getpid()), *run_ids]
    # Not in the terminal's group: Ctrl-C is for the server.
    subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def _report(host: str, port: int, server: int, run_ids: list[str]) -> None:
    client = DagsterGrpcClient(host=host, port=port)
    _while_it_runs(server, lambda: client.health_check_query() == "SERVING")  # type: ignore[no-untyped-call]  # dagster annotates it not
    serving_since = time.monotonic()
    with open_instance() as instance:
        if _has_daemon(instance):
            _while_it_runs(server, lambda: time.monotonic() - serving_since > LOADED_SECONDS)
        for run_id in end_runs(instance, run_ids):
            typer.echo(f"run {run_id} is ended in Dagster and in MLflow")


def _while_it_runs(server: int, is_so: Callable[[], bool]) -> None:
    """Waits for something; ends this process when its parent, the server, ends."""
    while not is_so():
        if os.getppid() != server:
            sys.exit(1)
        time.sleep(POLL_SECONDS)


def _has_daemon(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon looks after the instance."""
    return any(time.time() - beat.timestamp < HEARTBEAT_SECONDS for beat in instance.get_daemon_heartbeats().values())


if __name__ == "__main__":
    _report(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
