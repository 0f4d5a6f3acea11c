"""Runs whose process is gone: a killed process cannot tell Dagster or MLflow that it ended, so the next command does."""

import os

import dagster as dg
from dagster._core.storage.runs import SqliteRunStorage

from mlops_assets.settings import Settings


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Marks every started run whose process is gone as failed, in Dagster and in MLflow; returns their ids.

    Only where Dagster keeps its runs in SQLite: an instance on a database server has runs on other machines, too.
    """
    if not isinstance(instance.run_storage, SqliteRunStorage):
        return []
    started = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    dead = [run for run in started if (pid := _process_of(instance, run.run_id)) is not None and not _is_alive(pid)]
    for run in dead:
        instance.report_run_failed(run, "The run's process ended without a word; it was killed or the machine stopped.")
    if dead:
        _end_in_mlflow([run.run_id for run in dead])
    return [run.run_id for run in dead]


def _process_of(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The process that executes the steps, as the run's own event log names it."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is not None:
            return int(str(pid.value))
    return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _end_in_mlflow(run_ids: list[str]) -> None:
    from mlops_assets.domains import DOMAINS
    from mlops_assets.ml import registry

    client = registry.connect(Settings().tracking_uri)
    found = [client.get_experiment_by_name(name) for name in DOMAINS]
    experiments = [experiment.experiment_id for experiment in found if experiment]
    for run_id in run_ids if experiments else []:
        for run in client.search_runs(experiments, f"tags.dagster_run_id = '{run_id}' AND attributes.status = 'RUNNING'"):
            client.set_terminated(run.info.run_id, "KILLED")
