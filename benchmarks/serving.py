"""The prediction API on a random forest of 200 trees: against `mlflow models serve`, against a constant, and against no server at all.

One record: at least 10 times the requests a CPU second of the server, and a median latency of at most 3 times that of an ordinary route of
the same server that reads the same body and answers a constant (for information: of the barest route, too); with 1 and with 32 connections.
1,000 records: at least 80 % of the rows a second of calling the same served model in process. Always generated samples. The servers take
turns, so that a busy machine slows all alike.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Row
from benchmarks.platform import Platform

RECORDS, TREES, DEPTH = 10_000, 200, 15
THROUGHPUT_BAR, LATENCY_BAR, BATCH_BAR = 0.1, 3.0, 1.25
CONNECTIONS = (1, 32)
REQUESTS = {"ours": 3_000, "constant": 3_000, "bare": 3_000, "mlflow": 96}
BATCH, BATCH_REQUESTS = 1_000, 30
ROUNDS = 3
READY_SECONDS = 180.0
TICKS = os.sysconf("SC_CLK_TCK")
MODEL = "models:/forest-cover-classifier@champion"


@dataclass(frozen=True, slots=True)
class Server:
    """A process that listens on `port`, with the processes that it starts."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """What it and its living children have used since they started."""
        return sum(_cpu_seconds(pid) for pid in [self.pid, *_descendants(self.pid)])


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of requests gave."""

    median: float
    cpu_per_request: float
    seconds: float


def rows(platform: Platform) -> Iterator[Row]:
    """Throughput, latency, batches."""
    with ExitStack() as stack:
        home = platform.fresh("serving")
        champion = json.loads(home.program("forest_champion", str(RECORDS), str(TREES), str(DEPTH)).output.splitlines()[-1])
        direct = json.loads(home.program("direct_batches", str(BATCH), str(BATCH_REQUESTS)).output.splitlines()[-1])
        bodies = {name: _written(home.home / f"{name}.jsonl", lines) for name, lines in direct["bodies"].items()}
        answer = _written(home.home / "answer.json", [direct["answer"]])
        ours = stack.enter_context(_running(home, ["-m", "benchmarks.programs.serve", "{port}", str(answer)], "/health/ready"))
        theirs = stack.enter_context(_running(home, ["-m", "mlflow", *_mlflow_options()], "/ping"))
        for connections in CONNECTIONS:
            found: dict[str, list[Load]] = {name: [] for name in REQUESTS}
            for _ in range(ROUNDS):
                found["ours"].append(_load(home, ours, "/models/forest_cover/predict", connections, REQUESTS["ours"], bodies["one"]))
                found["constant"].append(_load(home, ours, "/constant", connections, REQUESTS["constant"], bodies["one"]))
                found["bare"].append(_load(home, ours, "/bare", connections, REQUESTS["bare"], bodies["one"]))
                found["mlflow"].append(_load(home, theirs, "/invocations", connections, REQUESTS["mlflow"], bodies["mlflow"]))
            cpu = {name: 1000 * statistics.median(load.cpu_per_request for load in loads) for name, loads in found.items()}
            median = {name: 1000 * statistics.median(load.median for load in loads) for name, loads in found.items()}
            note = f"{champion['engine']}; against `mlflow models serve`"
            yield Row(f"serving, CPU a request, {connections} conn.", cpu["ours"], cpu["mlflow"], THROUGHPUT_BAR, unit="ms", note=note)
            yield Row(f"serving, median latency, {connections} conn.", median["ours"], median["constant"], LATENCY_BAR, unit="ms")
            yield Row(f"serving, the same, barest route, {connections} conn.", median["ours"], median["bare"], unit="ms")
        batches = [_load(home, ours, "/models/forest_cover/predict", 1, BATCH_REQUESTS, bodies["batch"]) for _ in range(ROUNDS)]
        again = json.loads(home.program("direct_batches", str(BATCH), str(BATCH_REQUESTS)).output.splitlines()[-1])
        seconds = statistics.median(load.seconds / BATCH_REQUESTS for load in batches)
        in_process = statistics.mean([direct["seconds"], again["seconds"]])
        yield Row(f"serving, {BATCH} records a request", 1000 * seconds, 1000 * in_process, BATCH_BAR, unit="ms")


def _mlflow_options() -> list[str]:
    return ["models", "serve", "-m", MODEL, "--env-manager", "local", "-h", "127.0.0.1", "-p", "{port}"]


@contextmanager
def _running(platform: Platform, command: Sequence[str], ready: str) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [word.format(port=port) for word in command]
    # MLflow starts its server by name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment: Mapping[str, str] = {**platform.environment, "PATH": path}
    with (
        (platform.home / f"{port}.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, *arguments], env=environment, cwd=Path.cwd(), stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}{ready}", process)
            yield Server(process.pid, port)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # loopback
                return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError(f"{url} did not answer; exit code {process.poll()}")


def _load(platform: Platform, server: Server, path: str, connections: int, requests: int, bodies: Path) -> Load:
    before = server.cpu_seconds()
    usage = platform.program("load", str(server.port), path, str(connections), str(requests), str(bodies))
    printed = json.loads(usage.output.splitlines()[-1])
    return Load(printed["median"], (server.cpu_seconds() - before) / requests, printed["seconds"])


def _written(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("\n".join(lines))
    return path


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _descendants(pid: int) -> list[int]:
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [found for child in children for found in [child, *_descendants(child)]]
