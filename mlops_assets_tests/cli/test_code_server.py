"""`mlops-assets code-server` on a real PostgreSQL, after a real code server that was killed in the middle of a run."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._grpc.client import DagsterGrpcClient

from mlops_assets.cli.listening import reserve
from mlops_assets.ml import registry

INSTANCE = """
storage: {postgres: {postgres_url: {env: MLOPS_DAGSTER_STORAGE_URL}}}
run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}
run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}
telemetry: {enabled: false}
"""
CODE = """
import os, time
from pathlib import Path
import dagster as dg
from mlops_assets.resources.mlflow import MlflowResource

@dg.op
def wait(mlflow: MlflowResource) -> None:
    mlflow.run("chicago_crime")
    unfinished = Path(os.environ["MLOPS_HOME"], "unfinished")
    unfinished.write_text(str(os.getpid()))
    unfinished.rename(unfinished.with_name("pid"))
    time.sleep(600)

@dg.job(resource_defs={"mlflow": MlflowResource()}, executor_def=dg.in_process_executor)
def slow():
    wait()
"""
Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def deployment(home: Path, tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a deployment, whose instance is made before several processes would do it at once; gives MLOPS_HOME."""
    (tmp_path / "dagster.yaml").write_text(INSTANCE)
    (tmp_path / "slow.py").write_text(CODE)
    home.mkdir()
    monkeypatch.setenv("MLOPS_DAGSTER_STORAGE_URL", postgresql_url)
    for name in ("MLOPS_WAREHOUSE_URL", "MLOPS_API_KEYS", "MLOPS_COMPUTE_LOGS_BUCKET"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    registry.connect(f"sqlite:///{home}/mlflow/mlflow.db").search_experiments()
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)
    return home


@pytest.fixture
def started() -> Iterator[Started]:
    """Starts a process in a group of its own; at the end nothing of the groups is left."""
    groups: list[subprocess.Popen[str]] = []

    def start(*command: str) -> "subprocess.Popen[str]":
        groups.append(subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, start_new_session=True))
        return groups[-1]

    yield start
    for process in groups:
        _kill(process)


def _kill(process: "subprocess.Popen[str]") -> None:
    """The process and all that it has started, as the end of a container does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def _until(is_so: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    while not is_so():
        assert process.poll() is None, "the process ended"
        time.sleep(0.1)


def _answers(port: int) -> bool:
    try:
        return bool(DagsterGrpcClient(host="127.0.0.1", port=port).ping("there?"))
    except dg.DagsterError:
        return False


def _has_failed() -> bool:
    with dg.DagsterInstance.get() as instance:
        return any(run.is_finished for run in instance.get_runs())


@pytest.fixture
def port() -> int:
    """A free one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """What starts meanwhile ignores SIGINT, as that does which a script leaves in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_runs_that_died_with_the_server_before_are_ended_and_will_be_retried(
    deployment: Path, tmp_path: Path, port: int, started: Started
) -> None:
    listening = ("--host", "127.0.0.1", "--port", str(port))
    killed = started("dagster", "code-server", "start", *listening, "--python-file", str(tmp_path / "slow.py"))
    _until(lambda: _answers(port), killed)
    launch = started("dagster", "job", "launch", "--grpc-host", "127.0.0.1", "--grpc-port", str(port), "--job", "slow")
    assert launch.wait() == 0
    _until(lambda: (deployment / "pid").exists() or _has_failed(), killed)
    assert not _has_failed()
    _kill(killed)

    with _ignoring_interrupts():
        server = started("mlops_assets.cli", "code-server", "--port", str(port))

    assert server.stdout is not None
    told = server.stdout.readline()
    assert not _has_failed()  # before the server answers, nobody can start the run again
    _until(_has_failed, server)
    assert _answers(port)
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
        client = registry.connect(f"sqlite:///{deployment}/mlflow/mlflow.db")
        experiment = client.get_experiment_by_name("chicago_crime")
        assert experiment is not None
        (tracked,) = client.search_runs([experiment.experiment_id])
        assert told.startswith(f"run {run.run_id} had died")
        assert run.status is dg.DagsterRunStatus.FAILURE
        assert run.tags["dagster/will_retry"] == "true"
        assert tracked.info.status == "KILLED"
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=120) == 0


def test_two_that_start_at_once_do_not_share_a_port(deployment: Path, port: int, started: Started) -> None:
    reserve(port, "", host="127.0.0.1", folder=deployment)  # as one does that does not listen yet

    refused = started("mlops_assets.cli", "code-server", "--port", str(port))

    assert refused.wait(timeout=120) == 2
    assert not _answers(port)
