"""Runs whose process was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.cli.dead_runs import end_dead_runs
from mlops_assets.ml import registry

PROGRAM = """
import sys
import dagster as dg
from mlops_assets.resources.mlflow import MlflowResource

@dg.op
def wait(mlflow: MlflowResource) -> None:
    mlflow.run("chicago_crime")
    print("waiting", flush=True)
    sys.stdin.read()

@dg.job(resource_defs={"mlflow": MlflowResource()}, executor_def=dg.in_process_executor)
def job():
    wait()

quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
job.execute_in_process(instance=dg.DagsterInstance.get(), run_config=quiet)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Dagster instance and an MLflow of their own, in the environment, created before two processes would do it at once."""
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with dg.DagsterInstance.get():
        registry.connect(os.environ["MLFLOW_TRACKING_URI"]).search_experiments()
    return tmp_path


def test_a_killed_run_is_ended_in_dagster_and_in_mlflow_and_a_living_one_is_left_alone(home: Path) -> None:
    killed, living = (
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
    )
    with killed, living, dg.DagsterInstance.get() as instance:
        for process in (killed, living):
            assert process.stdout is not None
            assert process.stdout.readline() == b"waiting\n"
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()

        ended = end_dead_runs(instance)

        statuses = {run.run_id: run.status for run in instance.get_runs()}
        client = registry.connect(os.environ["MLFLOW_TRACKING_URI"])
        experiment = client.get_experiment_by_name("chicago_crime")
        assert experiment is not None
        tracked = {run.data.tags["dagster_run_id"]: run.info.status for run in client.search_runs([experiment.experiment_id])}
        assert len(ended) == 1
        assert statuses.pop(ended[0]) is dg.DagsterRunStatus.FAILURE
        assert tracked.pop(ended[0]) == "KILLED"
        assert list(statuses.values()) == [dg.DagsterRunStatus.STARTED]
        assert list(tracked.values()) == ["RUNNING"]
        assert end_dead_runs(instance) == []
