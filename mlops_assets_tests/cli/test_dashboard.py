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
def port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that would have replaced this process."""
    lines: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: lines.append([program, *arguments[1:]]))
    return lines


def test_streamlit_is_started_quietly_on_this_machine_only(started: list[list[str]], port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_API_URL", "http://api.example:8000")

    result = CliRunner().invoke(app, ["--port", str(port)])

    assert result.exit_code == 0
    assert f"http://127.0.0.1:{port} (prediction API: http://api.example:8000)" in result.stdout
    (line,) = started
    assert line[:4] == [sys.executable, "-m", "streamlit", "run"]
    assert Path(line[4]).is_file()
    assert {"--server.address=127.0.0.1", f"--server.port={port}", "--browser.gatherUsageStats=false", "--server.headless=true"} <= set(
        line
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_reach_it_through_a_proxy_only(started: list[list[str]], port: int, host: str) -> None:
    refused = CliRunner().invoke(app, ["--port", str(port), "--host", host])

    assert isinstance(refused.exception, ValueError)
    assert f"everybody who reaches {host} " in str(refused.exception)
    assert "add --behind-proxy, or listen on 127.0.0.1" in str(refused.exception)
    assert not started

    assert CliRunner().invoke(app, ["--port", str(port), "--host", host, "--behind-proxy"]).exit_code == 0
    assert f"--server.address={host}" in started[0]


def test_taken_port_is_named_with_the_way_out(started: list[Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(app, ["--port", str(taken.getsockname()[1])])

    assert isinstance(result.exception, ValueError)
    assert "--port 8502" in str(result.exception)
    assert not started
