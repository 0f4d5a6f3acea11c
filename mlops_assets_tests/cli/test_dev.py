"""`mlops-assets init`, what `dev` and `mlflow` do before they start something, and how they end."""

import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from mlops_assets.cli import dev as dev_commands

Command = Callable[..., Any]
OWN = ("DAGSTER_HOME", "MLOPS_HOME", "MLOPS_DAGSTER_DIR")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without `.env`, at a path with spaces."""
    folder = tmp_path / "my check out"
    folder.mkdir()
    (folder / ".env.example").write_text("# An example.\n# SOCRATA_APP_TOKEN=\n")
    monkeypatch.setattr(dev_commands, "PROJECT_DIR", folder)
    monkeypatch.setattr(dev_commands, "ENV_FILE", folder / ".env")
    return folder


def test_init_writes_the_shared_settings_above_the_example(
    cli: Command, checkout: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("init").code == 0

    lines = (checkout / ".env").read_text().splitlines()
    assert [line.partition("=")[0] for line in lines[:3]] == list(OWN)
    assert lines[3:] == ["# An example.", "# SOCRATA_APP_TOKEN="]
    assert home.is_dir()
    for name in OWN:
        monkeypatch.delenv(name)
    assert dotenv_values(checkout / ".env") == {
        "DAGSTER_HOME": str(checkout),
        "MLOPS_HOME": str(checkout / ".mlops"),
        "MLOPS_DAGSTER_DIR": str(checkout / ".mlops" / "dagster"),
    }


def test_init_leaves_the_last_word_to_the_environment(cli: Command, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("init")
    monkeypatch.setenv("MLOPS_HOME", "/data/my state")

    values = dotenv_values(checkout / ".env")

    assert (values["MLOPS_HOME"], values["MLOPS_DAGSTER_DIR"]) == ("/data/my state", "/data/my state/dagster")


def test_init_again_changes_nothing_and_keeps_other_lines(cli: Command, checkout: Path) -> None:
    cli("init")
    once = (checkout / ".env").read_text()
    assert cli("init").code == 0
    assert (checkout / ".env").read_text() == once

    mine = ["", "# mine", "SOCRATA_APP_TOKEN=t=o=k", 'MLOPS_LAKE_URI="s3://my bucket"']
    (checkout / ".env").write_text("\n".join([*mine, 'DAGSTER_HOME="${DAGSTER_HOME:-/an/older/check out}"', ""]))
    assert cli("init").code == 0

    assert (checkout / ".env").read_text().splitlines()[3:] == mine
    assert (checkout / ".env").read_text().splitlines()[:3] == once.splitlines()[:3]


def test_init_lets_nobody_else_read_what_will_hold_passwords(cli: Command, checkout: Path) -> None:
    cli("init")
    assert stat.S_IMODE((checkout / ".env").stat().st_mode) == 0o600

    (checkout / ".env").chmod(0o644)
    cli("init")
    assert stat.S_IMODE((checkout / ".env").stat().st_mode) == 0o600


def test_init_keeps_a_home_of_ones_own_and_puts_dagsters_folder_into_it(
    cli: Command, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / ".env").write_text("MLOPS_HOME=/data/mine\n")

    assert cli("init").code == 0
    assert cli("init").code == 0

    for name in OWN:
        monkeypatch.delenv(name, raising=False)
    values = dotenv_values(checkout / ".env")
    assert (values["MLOPS_HOME"], values["MLOPS_DAGSTER_DIR"]) == ("/data/mine", "/data/mine/dagster")
    assert (checkout / ".env").read_text().count("MLOPS_HOME=") == 1


def test_mlflow_points_to_a_server_that_runs_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example")

    dev_commands.mlflow()

    assert capsys.readouterr().out == "MLflow runs at http://mlflow.example; open it there.\n"


def test_dev_refuses_a_replay_folder_that_is_missing(cli: Command, tmp_path: Path) -> None:
    ended = cli("dev", "--replay", str(tmp_path / "nowhere"))

    assert ended.code == 2
    assert "holds nothing to replay" in ended.err
    assert "Traceback" not in ended.err


def test_dev_refuses_what_cannot_heal_and_waits_for_what_can(cli: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLOPS_LAKE_URL", "s3://lake")

    ended = cli("dev")

    assert ended.code == 2
    assert ended.err.startswith("mlops-assets: 1 problem\n  settings: there is no setting MLOPS_LAKE_URL: did you mean MLOPS_LAKE_URI?")


EARLY = """
import os, signal, subprocess, sys
from mlops_assets.cli import dev

class Told(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        print(self.pid, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)  # whoever tells it does not know whether the command is there already

subprocess.Popen = Told
sys.exit(dev._foreground([sys.executable, "-c", "import sys; sys.stdin.read()"], {}))
"""


def test_who_is_told_to_end_while_the_command_starts_leaves_no_command_behind(home: Path) -> None:
    home.mkdir()
    with subprocess.Popen([sys.executable, "-c", EARLY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        code = process.wait()

    assert code == -signal.SIGTERM % 256
    assert not Path(f"/proc/{pid}").exists()
