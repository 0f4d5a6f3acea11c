"""The root of the command line: what its help says, and how errors end."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mlops_assets.cli.app import app
from mlops_assets.doctor import settings
from mlops_assets_tests.doctor.conftest import answering

Command = Callable[..., Any]


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from _commands(sub, (*path, name))


COMMANDS = dict(_commands(typer.main.get_command(app)))


def test_commands_are_those_that_people_know() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "",
        "run",
        "sandbox",
        "dev",
        "mlflow",
        "serve",
        "dashboard",
        "init",
        "hour",
        "code-server",
        "doctor",
        "lake",
        "lake init",
        "models",
        "models list",
        "models trace",
        "models using",
        "models promote",
        "models rollback",
    }


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: "-".join(path) or "root")
def test_help_says_what_the_command_and_each_of_its_options_do(cli: Command, path: tuple[str, ...]) -> None:
    ended = cli(*path, "--help")

    words = " ".join(ended.out.replace("│", " ").split())
    assert (ended.code, ended.err) == (0, "")
    assert words.startswith(" ".join(["Usage: mlops-assets", *path]))
    assert COMMANDS[path].help.split("\n")[0] in words
    for parameter in COMMANDS[path].params:
        if not getattr(parameter, "hidden", False):
            assert parameter.help, parameter.name


def test_the_command_line_loads_nothing_heavy_before_it_knows_the_command() -> None:
    heavy = {"dagster", "mlflow", "pandas", "boto3", "duckdb"}
    program = f"import sys, mlops_assets.cli.app; print(sorted({heavy} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout == "[]\n"


def test_help_begins_with_what_the_tool_is(cli: Command) -> None:
    lines = [line.strip() for line in cli("--help").out.splitlines() if line.strip()]

    assert lines[1].startswith("Machine-learning systems from raw data to a registered champion")


def test_without_a_command_the_help_is_shown(cli: Command) -> None:
    ended = cli()

    assert "Usage: mlops-assets" in ended.out + ended.err


@pytest.mark.parametrize("arguments", [("train",), ("run", "--upstream", "elsewhere"), ("models", "trace")])
def test_a_command_line_that_is_wrong_ends_with_2(cli: Command, arguments: tuple[str, ...]) -> None:
    ended = cli(*arguments)

    assert ended.code == 2
    assert "Usage: mlops-assets" in ended.err


@pytest.mark.parametrize("command", [("models", "list"), ("run",), ("sandbox",), ("code-server",)])
def test_settings_that_cannot_work_are_one_message(cli: Command, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    monkeypatch.setenv("SOCRATA_PAGE_ROWS", "many")
    monkeypatch.setenv("FOREST_ATTEMPTS", "0")

    ended = cli(*command)

    assert ended.code == 2
    assert ended.err.startswith("mlops-assets: 2 problems\n  settings: SOCRATA_PAGE_ROWS: Input should be a valid integer")
    assert "  settings: FOREST_ATTEMPTS: Input should be greater than or equal to 1\n    correct it in .env" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", [("run",), ("serve", "--port", "0")])
def test_faults_of_every_kind_in_the_settings_are_told_in_one_go(
    cli: Command, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    for name, value in {"SOCRATA_PAGE_ROWS": "many", "SOCRATA_URL": "nowhere", "MLOPS_LAKE_URL": "x"}.items():
        monkeypatch.setenv(name, value)

    ended = cli(*command)

    assert ended.code == 2
    assert ended.err.startswith("mlops-assets: 3 problems\n")
    for what in ("SOCRATA_PAGE_ROWS: ", "SOCRATA_URL: ", "there is no setting MLOPS_LAKE_URL"):
        assert f"\n  settings: {what}" in ended.err


def test_what_the_registry_refuses_is_one_line(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "no\\nsuch name"}'
    with answering(400, refusal, content_type="application/json") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)

        ended = cli("models", "trace", "it's/1")

    assert (ended.code, ended.err) == (2, "mlops-assets: INVALID_PARAMETER_VALUE: no such name\n")


def test_a_file_that_cannot_be_decoded_is_one_message(cli: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "PROJECT_DIR", home.parent)
    (home.parent / ".env").write_bytes(b"# caf\xe9\n")

    ended = cli("models", "list")

    assert ended.code == 2
    assert ended.err.startswith(f"mlops-assets: 1 problem\n  settings: {home.parent / '.env'}, line 1: is no UTF-8")
    assert "is no UTF-8" in cli("doctor").out
