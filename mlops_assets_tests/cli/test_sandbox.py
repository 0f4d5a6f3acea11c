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
from mlops_assets.sandbox.forest_cover.samples import COLUMNS

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


def _settings(process: "subprocess.Popen[str]") -> dict[str, str]:
    """What the command printed."""
    assert process.stdout
    return dict(process.stdout.readline().strip().split("=", 1) for _ in range(4))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_sandbox_prints_where_the_upstreams_are_and_ends_when_told(start: Start, stop: signal.Signals) -> None:
    process = start()
    settings = _settings(process)
    assert list(settings) == ["SOCRATA_URL", "FOREST_API_URL", "DONOSTIA_API_URL", "FOREST_BATCH_SECONDS"]
    assert settings["FOREST_BATCH_SECONDS"] == "300"
    assert [crime["id"] for crime in requests.get(f"{settings['SOCRATA_URL']}/{CRIMES}", timeout=30).json()] == ["1"]
    assert [_ask(settings)["batch_number"] for _ in range(2)] == [1, 1]
    parkings = requests.get(settings["DONOSTIA_API_URL"], timeout=30)
    assert parkings.json()["count"] == 16
    assert "Memento-Datetime" not in parkings.headers

    process.send_signal(stop)

    assert process.wait(timeout=30) == 0


def test_sandbox_options_set_the_pace_and_the_size_of_batches(start: Start, exports: Path) -> None:
    (exports / "covertype.csv").write_text("\n".join([",".join(COLUMNS), *(f"{number}{',1' * 12}" for number in range(30))]))
    settings = _settings(start("--batch-seconds", "0", "--whole-batches"))

    answers = [_ask(settings) for _ in range(2)]

    assert settings["FOREST_BATCH_SECONDS"] == "0"
    assert [answer["batch_number"] for answer in answers] == [1, 2]
    assert [[row[0] for row in answer["data"]] for answer in answers] == [["0", "1", "2"], ["3", "4", "5"]]


def test_sandbox_replays_car_parks_and_generates_what_the_folder_lacks(tmp_path: Path, home: Path) -> None:
    snapshot = "properties.nombre,properties.libres,timestamp\nEaso,17,2022-05-13 08:50:00\n"
    (tmp_path / "donostia_parkings.csv").write_text(snapshot)
    with running_sandbox(tmp_path) as environment:
        answer = requests.get(environment["DONOSTIA_API_URL"], timeout=30)
        assert _ask(environment)["batch_number"] == 1

    assert answer.headers["Memento-Datetime"] == "Fri, 13 May 2022 08:50:00 GMT"
    assert [feature["properties"]["libres"] for feature in answer.json()["features"]] == ["17"]


def test_sandbox_with_parent_ends_when_its_standard_input_closes(start: Start) -> None:
    process = start("--with-parent")
    assert process.stdin
    assert _settings(process)["SOCRATA_URL"].startswith("http://127.0.0.1:")

    process.stdin.close()

    assert process.wait(timeout=30) == 0


def test_running_sandbox_serves_for_the_length_of_the_block(exports: Path, home: Path) -> None:
    with running_sandbox(exports) as environment:
        assert requests.get(f"{environment['SOCRATA_URL']}/{CRIMES}", timeout=30).json()[0]["id"] == "1"
        assert environment["FOREST_BATCH_SECONDS"] == "0"
        assert [_ask(environment)["batch_number"] for _ in range(2)] == [1, 2]

    for url in (environment["SOCRATA_URL"], environment["FOREST_API_URL"], environment["DONOSTIA_API_URL"]):
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=30)


def test_running_sandbox_stays_with_a_batch_as_long_as_it_is_told(exports: Path, home: Path) -> None:
    with running_sandbox(exports, batch_seconds=300) as environment:
        assert environment["FOREST_BATCH_SECONDS"] == "300"
        assert [_ask(environment)["batch_number"] for _ in range(2)] == [1, 1]


def test_sandbox_without_exports_to_replay_says_what_it_expects(cli: Command, tmp_path: Path) -> None:
    ended = cli("sandbox", "--port", "0", "--replay", str(tmp_path))

    assert ended.code == 2
    assert ended.err.startswith(f"mlops-assets: {tmp_path} holds nothing to replay: expected crimes*.csv")
    assert "or covertype*.csv" in ended.err
    assert "or donostia_parkings*.csv" in ended.err


def test_sandbox_refuses_exports_that_are_not_whole(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "police_stations.json").write_text("[]")
    ended = cli("sandbox", "--port", "0", "--replay", str(tmp_path))

    assert ended.code == 2
    assert ended.err.startswith(f"mlops-assets: {tmp_path} holds no crimes to replay: expected crimes*.csv")


def test_sandbox_on_a_port_that_is_taken_says_so(cli: Command, exports: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = cli("sandbox", "--port", str(port), "--replay", str(exports))

    assert ended.code == 2
    assert f"cannot listen on port {port} of 127.0.0.1" in ended.err
    assert "Address already in use" in ended.err


@pytest.mark.parametrize("port", [65535, 65534])
def test_sandbox_gives_the_other_upstreams_the_ports_after_the_portals(cli: Command, exports: Path, port: int) -> None:
    ended = cli("sandbox", "--port", str(port), "--replay", str(exports))

    assert ended.code == 2
    assert ended.err.startswith("mlops-assets: the sandbox cannot listen on port 65536 of 127.0.0.1")


def _ask(settings: dict[str, str]) -> Any:
    return requests.get(f"{settings['FOREST_API_URL']}/data?group_number=1", timeout=30).json()
