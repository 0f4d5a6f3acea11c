"""The root of the command line: what its help says, and how errors end."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from mlops_assets.cli.app import app

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
