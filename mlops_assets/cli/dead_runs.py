"""Runs whose process is gone: a killed process cannot tell Dagster or MLflow that it ended, so the next command does."""

import json
import os
import socket
import time
from collections.abc import Iterable
from pathlib import Path

import dagster as dg
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.tags import GRPC_INFO_TAG

from mlops_assets.cli.listening import answers
from mlops_assets.settings import Settings

UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
SLACK_SECONDS = 1.0
"""Between the clock of events and that of processes."""


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Marks every started run whose process is gone as failed, in Dagster and in MLflow; returns their ids.

    Only where Dagster keeps its runs in SQLite: an instance on a database server has runs on other machines, too.
    """
    if not isinstance(instance.run_storage, SqliteRunStorage):
        return []
    started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    dead = [run for run in started if _is_known_dead(instance, run)]
    return _end(instance, dead, "The run's process ended without a word; it was killed or the machine stopped.")


def runs_of_dead_server(instance: dg.DagsterInstance, port: int) -> list[str]:
    """The ids of the runs that died with an earlier code server on this port of this machine.

    Not those of other machines' servers, nor of one that answers on another address of this one, nor those whose process has outlived
    its server.
    """
    under_way = instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY))
    return [run.run_id for run in under_way if _was_launched_by_dead(run, port) and _has_ended(instance, run)]


def end_runs(instance: dg.DagsterInstance, run_ids: list[str]) -> list[str]:
    """Marks those of the dead runs that nobody has ended meanwhile as failed; returns their ids.

    Failed, so that Dagster's run retries start them again; one that somebody was cancelling is cancelled instead.
    """
    dead = instance.get_runs(dg.RunsFilter(run_ids=run_ids, statuses=UNDER_WAY))
    return _end(instance, list(dead), "The code server that executed the run ended, and the run with it.")


def _end(instance: dg.DagsterInstance, runs: list[dg.DagsterRun], message: str) -> list[str]:
    if runs:
        _end_in_mlflow([run.run_id for run in runs])  # first: what Dagster calls ended nobody looks at again
    for run in runs:
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message)
        else:
            instance.report_run_failed(run, message)
    return [run.run_id for run in runs]


def _was_launched_by_dead(run: dg.DagsterRun, port: int) -> bool:
    """Whether the run's code server listened on that port of this machine, by whatever name it was addressed, and does so no more."""
    server = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
    host = server.get("host", "")
    return server.get("port") == port and _is_this_machine(host) and not answers(host, port)


def _is_this_machine(host: str) -> bool:
    """Whether one of the name's addresses is this machine's own: only on such a one can a socket be bound."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(_can_bind(family, address) for family, _, _, _, address in found)


def _can_bind(family: int, address: tuple[object, ...]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def _is_known_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    process = _process_of(instance, run.run_id)
    return process is not None and not _is_alive(*process)


def _has_ended(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    process = _process_of(instance, run.run_id)
    return process is None or not _is_alive(*process)  # the server that would have started a process is gone


def _process_of(instance: dg.DagsterInstance, run_id: str) -> tuple[int, float] | None:
    """The process that executes the steps, as the run's own event log names it, and when it did (Unix seconds)."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is not None:
            return int(str(pid.value)), entry.timestamp
    return None


def _is_alive(pid: int, seen_at: float) -> bool:
    """Whether the process that had this number at that time still runs: numbers are given again, in a new container from 1 on."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True  # no such file system: the number has to do
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[18]) / os.sysconf("SC_CLK_TCK")
    return state != "Z" and time.time() - age < seen_at + SLACK_SECONDS


def _end_in_mlflow(run_ids: Iterable[str]) -> None:
    from mlops_assets.domains import DOMAINS
    from mlops_assets.ml import registry

    client = registry.connect(Settings().tracking_uri)
    found = [client.get_experiment_by_name(name) for name in DOMAINS]
    experiments = [experiment.experiment_id for experiment in found if experiment]
    for run_id in run_ids if experiments else []:
        for run in client.search_runs(experiments, f"tags.dagster_run_id = '{run_id}' AND attributes.status = 'RUNNING'"):
            client.set_terminated(run.info.run_id, "KILLED")
