"""`mlops-assets dashboard`, up to the moment when Streamlit takes its process over."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mlops_assets.cli.dashboard import dashboard

app = typer.Typer()
app.command()(dashboard)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that would have replaced this process."""
    lines: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: lines.append([program, *arguments[1:]]))
    return lines


def test_streamlit_is_started_quietly_on_this_machine_only(started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_API_URL", "http://api.example:8000")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    result = CliRunner().invoke(app, ["--port", str(port)])

    assert result.exit_code == 0
    assert f"http://127.0.0.1:{port} (prediction API: http://api.example:8000)" in result.stdout
    (line,) = started
    assert line[:4] == [sys.executable, "-m", "streamlit", "run"]
    assert Path(line[4]).is_file()
    assert {"--server.address=127.0.0.1", f"--server.port={port}", "--browser.gatherUsageStats=false", "--server.headless=true"} <= set(
        line
    )


def test_taken_port_is_named_with_the_way_out(started: list[Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(app, ["--port", str(taken.getsockname()[1])])

    assert isinstance(result.exception, ValueError)
    assert "--port 8502" in str(result.exception)
    assert not started
