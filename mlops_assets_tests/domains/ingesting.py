"""Real runs of an ingest in processes of their own, for tests that end them as they like; `ingester.py` is the other side."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO


class Ingester:
    """Makes runs of the ingest job in a process of its own; after a kill, in a new one."""

    def __init__(self, port: int, environment: Mapping[str, str]) -> None:
        self._port = port
        self._environment = environment
        self._process: int | None = None
        self._lines: TextIO

    def start(self, first: str, last: str | None = None, *, halt_at: str | None = None, **environment: str) -> None:
        """Begins a run for one partition or a range of them."""
        if self._process is None:
            with socket.create_connection(("127.0.0.1", self._port)) as connection:
                self._lines = connection.makefile("rw")
            self._process = int(self.says())
        request = {"environment": {**self._environment, **environment}, "partitions": [first, last or first], "halt_at": halt_at}
        self._tell(json.dumps(request))

    def says(self) -> str:
        """Where the run halts, or how it ended: `success` or `failure`. Empty if the process is gone."""
        return self._lines.readline().strip()

    def go_on(self) -> None:
        """Leaves the place where the run halts."""
        self._tell("")

    def kill(self) -> None:
        """SIGKILL; the process is gone afterwards."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            while self.says():
                pass
            self._lines.close()
            self._process = None

    def _tell(self, line: str) -> None:
        self._lines.write(f"{line}\n")
        self._lines.flush()


@contextmanager
def listening(script: Path) -> Iterator[int]:
    """The port of the process that forks ingesters; `script` calls `ingester.serve`."""
    with subprocess.Popen([sys.executable, "-W", "ignore", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
