"""Runs whose process was killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.cli.dead_runs import end_dead_runs, end_runs, runs_of_dead_server
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


@dg.job
def nothing() -> None:
    """A job for runs that never execute."""


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which a server listens on 127.0.0.2, and none on 127.0.0.1."""
    with socket.socket() as server:
        server.bind(("127.0.0.2", 0))
        server.listen()
        yield server.getsockname()[1]


def test_only_runs_that_this_machines_dead_server_had_under_way_are_ended(home: Path, port: int) -> None:
    status = dg.DagsterRunStatus
    here = {"host": "127.0.0.1", "port": port}
    runs = {
        (status.STARTING, json.dumps(here)): status.FAILURE,
        (status.STARTED, json.dumps({**here, "host": "localhost"})): status.FAILURE,
        (status.CANCELING, json.dumps(here)): status.CANCELED,
        (status.SUCCESS, json.dumps(here)): status.SUCCESS,
        (status.NOT_STARTED, json.dumps(here)): status.NOT_STARTED,
        (status.STARTED, json.dumps({**here, "port": port + 1})): status.STARTED,
        (status.STARTED, json.dumps({**here, "host": "127.0.0.2"})): status.STARTED,  # its server answers
        (status.STARTED, json.dumps({**here, "host": "192.0.2.1"})): status.STARTED,
        (status.STARTED, json.dumps({**here, "host": "no-such-host.invalid"})): status.STARTED,
        (status.STARTED, json.dumps({"host": "127.0.0.1", "socket": "socket"})): status.STARTED,
        (status.STARTED, "{}"): status.STARTED,
    }
    with dg.DagsterInstance.get() as instance:
        ids = {instance.create_run_for_job(nothing, status=was, tags={".dagster/grpc_info": tag}).run_id: (was, tag) for was, tag in runs}

        dead = runs_of_dead_server(instance, port)
        later = instance.create_run_for_job(nothing, status=status.STARTED, tags={".dagster/grpc_info": json.dumps(here)})
        ended = end_runs(instance, dead)

        assert {ids[run.run_id]: run.status for run in instance.get_runs() if run.run_id in ids} == runs
        assert set(ended) == set(dead)
        assert len(ended) == 3
        assert end_runs(instance, dead) == []
        assert runs_of_dead_server(instance, port) == [later.run_id]
