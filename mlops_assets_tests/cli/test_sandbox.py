"""`mlops-assets sandbox` as a process: it says where it listens, and ends with whoever started it."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mlops_assets.cli.sandbox import running_sandbox

Command = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[str]"]
CRIMES = "resource/ijzp-q8t2.json"


@pytest.fixture
def start(exports: Path, home: Path) -> Iterator[Start]:
    """Starts `mlops-assets sandbox`; what still runs after the test is killed."""
    processes: list[subprocess.Popen[str]] = []

    def run(*options: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "mlops_assets.cli", "sandbox", "--port", "0", "--replay", str(exports), *options]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield run
    for process in processes:
        with process:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_sandbox_prints_its_address_and_ends_when_told(start: Start, stop: signal.Signals) -> None:
    process = start()
    assert process.stdout
    url = process.stdout.readline().strip()
    assert [crime["id"] for crime in requests.get(f"{url}/{CRIMES}", timeout=30).json()] == ["1"]

    process.send_signal(stop)

    assert process.wait(timeout=30) == 0


def test_sandbox_with_parent_ends_when_its_standard_input_closes(start: Start) -> None:
    process = start("--with-parent")
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline().startswith("http://127.0.0.1:")

    process.stdin.close()

    assert process.wait(timeout=30) == 0


def test_running_sandbox_serves_for_the_length_of_the_block(exports: Path, home: Path) -> None:
    with running_sandbox(exports) as environment:
        url = environment["SOCRATA_URL"]
        assert requests.get(f"{url}/{CRIMES}", timeout=30).json()[0]["id"] == "1"

    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/{CRIMES}", timeout=30)


def test_sandbox_without_exports_to_replay_says_what_it_expects(cli: Command, tmp_path: Path) -> None:
    ended = cli("sandbox", "--port", "0", "--replay", str(tmp_path))

    assert ended.code == 2
    assert ended.err.startswith(f"mlops-assets: {tmp_path} holds nothing to replay: expected crimes*.csv")


def test_sandbox_on_a_port_that_is_taken_says_so(cli: Command, exports: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = cli("sandbox", "--port", str(taken.getsockname()[1]), "--replay", str(exports))

    assert ended.code == 2
    assert "Address already in use" in ended.err
