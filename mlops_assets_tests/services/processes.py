"""Real servers as ordinary processes of the tests: on free ports, with a log each, ended by their own pid."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

PATIENCE = 120
"""Seconds until a server that does not answer fails the tests; a machine that does other work at the same time is slow."""
LOG_END = 2000
"""Characters of a log that a failure shows."""


class Process:
    """One process of a server, which can be ended and started again; `user` runs it, if root starts it."""

    def __init__(self, command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None, user: str | None = None) -> None:
        self.log = log
        self._command, self._env, self._user = list(command), {**os.environ, **(env or {})}, user
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, answers: Callable[[], bool]) -> None:
        """Starts it and waits until it answers."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env, user=self._user, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while not answers():
            if self._running.poll() is not None or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                pytest.fail(f"{self._command[0]} does not answer; {self.log} ends with:\n{self.log.read_text(errors='replace')[-LOG_END:]}")
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends it, and whatever it has started itself; nothing happens if it has ended."""
        if self._running is None:
            return
        if self._running.poll() is None:
            self._running.send_signal(how)
            try:
                self._running.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._running.kill()
                self._running.wait()
        with suppress(ProcessLookupError):
            os.killpg(self._running.pid, signal.SIGKILL)  # its session is its own; its children may have outlived it
        self._running = None


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, all different."""
    found = [socket.socket() for _ in range(count)]
    try:
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in found]
    finally:
        for one in found:
            one.close()


def accepts(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def require_programs(*names: str) -> None:
    """Skips what asks for them if one is not installed."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (as root on Debian, .ci/install-services installs it)")
