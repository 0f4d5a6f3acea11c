"""MLflow: the local file at every revision, a real server, and what stands before one."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from mlops_assets.doctor import Finding, Part
from mlops_assets.ml import registry
from mlops_assets_tests.doctor.conftest import SECRETS, Examine, answering, closed, in_the_way, only

OLDER = "0584bdc529eb"
"""A revision that MLflow knows, and that others follow."""


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database of the installed MLflow."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        registry.connect(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def database(made_once: bytes, home: Path) -> Path:
    """The same below MLOPS_HOME."""
    path = home / "mlflow" / "mlflow.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(made_once)
    return path


def test_a_database_of_the_installed_release_is_sound(database: Path, findings: Callable[..., list[Finding]]) -> None:
    (found,) = findings(Part.MLFLOW)

    assert found.problems == ()
    assert found.address == f"sqlite:///{database}"
    assert found.version.startswith("schema ")


@pytest.mark.parametrize(
    ("revision", "says", "remedy"),
    [
        (OLDER, "too old for the installed mlflow", "`mlflow db upgrade sqlite:///"),
        ("ffffffffffff", "a newer release", "install the release"),
    ],
)
def test_a_database_of_another_release_is_named(database: Path, problems: Examine, revision: str, says: str, remedy: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()

    problem = only(problems(Part.MLFLOW))

    assert says in problem.what
    assert remedy in problem.remedy


def test_a_database_that_is_damaged_is_named(database: Path, problems: Examine) -> None:
    database.write_bytes(b"no database" * 1000)

    assert "cannot be read" in only(problems(Part.MLFLOW)).what


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps artifacts."""
    return tmp_path_factory.mktemp("server") / "artifacts"


@pytest.fixture(scope="module")
def server(artifacts: Path) -> Iterator[int]:
    """The port of a real server that answers to the name localhost only."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{artifacts.parent / 'mlflow.db'}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--artifacts-destination", str(artifacts)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--allowed-hosts", f"localhost:{port}"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    log = artifacts.parent / "log"
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            while not _answers(f"http://127.0.0.1:{port}/health"):
                assert process.poll() is None, log.read_text()
                time.sleep(0.2)
            yield port
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=10).ok
    except requests.RequestException:
        return False


def test_a_real_server_is_sound_until_it_cannot_store_artifacts(
    server: int, artifacts: Path, findings: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://localhost:{server}/")

    (found,) = findings(Part.MLFLOW)

    assert found.problems == ()
    assert found.version.startswith("MLflow 3.")
    assert not [path for path in artifacts.rglob("*") if path.is_file()]
    for path in sorted(artifacts.rglob("*"), reverse=True):
        path.rmdir()
    artifacts.rmdir()
    in_the_way(artifacts)

    problem = only(list(findings(Part.MLFLOW)[0].problems))

    assert "no artifact can be stored through the server" in problem.what
    assert "`MLFLOW_ARTIFACTS_DESTINATION=s3://... mlops-assets lake init`" in problem.remedy


def test_a_real_server_that_is_asked_by_another_name_is_told_which_to_allow(
    server: int, problems: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server}")

    problem = only(problems(Part.MLFLOW))

    assert problem.what == f"the server does not answer to the name 127.0.0.1:{server}"
    assert f"--allowed-hosts 127.0.0.1:{server}" in problem.remedy
    assert not problem.heals


@pytest.mark.parametrize(
    ("status", "body", "says", "heals"),
    [
        (401, b"", "asks for a user and a password", False),
        (403, b"Permission denied", "forbids this user", False),
        (200, b"<html>Please log in</html>", "no MLflow server: 200 text/plain", False),
        (404, b"", "no MLflow server: 404", False),
        (302, b"", "no MLflow server: 302", False),
        (502, b"Bad gateway mlflow-pass-0815\nmore", "answers 502: Bad gateway ***", True),
    ],
)
def test_what_stands_before_a_server_is_told_apart(
    problems: Examine, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, says: str, heals: bool
) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, SECRETS[name])
    with answering(status, body) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)

        problem = only(problems(Part.MLFLOW))

    assert says in problem.what
    assert problem.heals is heals


def test_a_server_that_is_down_may_come_back(problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{closed()}")

    problem = only(problems(Part.MLFLOW))

    assert problem.what == "the server cannot be reached: [Errno 111] Connection refused"
    assert problem.heals
