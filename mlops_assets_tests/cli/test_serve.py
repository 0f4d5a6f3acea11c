"""The prediction API as a process: where it listens, what it says, and that it ends when it is told to."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from mlops_assets.cli.serve import serve

COMMAND = [sys.executable, "-c", "import typer; from mlops_assets.cli.serve import serve; typer.run(serve)"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_it_listens_beyond_loopback_only_with_keys(home: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_API_KEYS", " , ")

    with pytest.raises(ValueError, match="set MLOPS_API_KEYS.*or listen on 127.0.0.1"):
        serve(host=host)


def test_a_taken_port_is_named(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ValueError, match=f"port {taken.getsockname()[1]} .*mlops-assets serve --port 8001"):
            serve(port=taken.getsockname()[1])


def test_it_says_where_it_is_logs_requests_and_ends_when_told(home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*COMMAND, "--port", str(port), "--access-log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout
        line = process.stdout.readline()
        health = json.loads(_get(f"http://127.0.0.1:{port}/health", process))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)

    assert f"http://127.0.0.1:{port}/docs" in line
    assert (health["live"], health["ready"]) == (True, False)
    logged = [json.loads(entry) for entry in err.splitlines() if entry.startswith("{")]
    assert (logged[-1]["method"], logged[-1]["path"], logged[-1]["status"]) == ("GET", "/health", 200)
    assert "Traceback" not in err


def _get(url: str, process: "subprocess.Popen[str]") -> bytes:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                content: bytes = answer.read()
                return content
        except OSError:
            continue
    raise RuntimeError("the process ended")
