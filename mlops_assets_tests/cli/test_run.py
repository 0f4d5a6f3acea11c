"""`mlops-assets run`: what it refuses, before it starts anything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.cli import run as run_command

Command = Callable[..., Any]


def _no_sandbox(*_: Any, **__: Any) -> None:
    raise AssertionError("a sandbox was started for nothing")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("chicago",), "there is no system 'chicago'; there are: chicago_crime"),
        (("--partition", "2017"), "chicago_crime: there is no partition '2017'; there are 2016-01 to 20"),
        (("--partition", "2017-13"), "chicago_crime: there is no partition '2017-13'; there are 2016-01 to 20"),
        (("--partition", "2015-12"), "chicago_crime: there is no partition '2015-12'; there are 2016-01 to 20"),
        (("--partition", "2999-01"), "chicago_crime: there is no partition '2999-01'; there are 2016-01 to 20"),
    ],
)
def test_run_refuses_what_does_not_exist_before_it_starts_anything(
    cli: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr(run_command, "running_sandbox", _no_sandbox)

    ended = cli("run", *arguments)

    assert ended.code == 2
    assert ended.err.startswith(f"mlops-assets: {message}")


def test_run_with_a_replay_folder_that_is_missing_says_so(cli: Command, tmp_path: Path) -> None:
    ended = cli("run", "--replay", str(tmp_path / "nowhere"))

    assert ended.code == 2
    assert f"mlops-assets: {tmp_path}/nowhere holds nothing to replay: expected crimes*.csv" in ended.err
    assert "Traceback" not in ended.err


def test_run_on_a_portal_that_is_down_says_so(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATA_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SOCRATA_ATTEMPTS", "1")

    ended = cli("run", "--upstream", "live")

    assert ended.code == 2
    assert ended.err.startswith("mlops-assets: ijzp-q8t2 (the newest date) from 127.0.0.1:9:")
    assert "Check SOCRATA_URL and the network" in ended.err
    assert "Traceback" not in ended.err
