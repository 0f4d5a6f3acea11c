"""The command line in this process, with local state in a folder of the test's own."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from mlops_assets.cli import app, main


class Ended(NamedTuple):
    """How a command ended; long lines are joined."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All local state; the checkout's own is left alone."""
    folder = tmp_path / "my home"
    for name, value in {"MLOPS_HOME": folder, "MLOPS_DAGSTER_DIR": folder / "dagster", "DAGSTER_HOME": tmp_path}.items():
        monkeypatch.setenv(name, str(value))
    for name in ("MLOPS_LAKE_URI", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")
    return folder


@pytest.fixture
def cli(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `mlops-assets` with arguments; its processes' output counts as its own."""
    monkeypatch.setattr(app, "PROJECT_DIR", home.parent)  # the checkout's own `.env` would stay in this process's environment

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["mlops-assets", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 1, captured.out, captured.err)

    return run


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder of exports with one crime, which a sandbox serves without making a city first."""
    folder = tmp_path / "my exports"
    folder.mkdir()
    crime = {"id": "1", "date": "2018-01-31T10:00:00", "updated_on": "2018-02-07T10:00:00", "arrest": False}
    (folder / "crimes.json").write_text(json.dumps([crime]))
    return folder
