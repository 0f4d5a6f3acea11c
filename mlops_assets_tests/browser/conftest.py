"""The Dagster UI with its daemon as a user runs it, a portal behind it, and a browser in front of it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from mlops_assets.sandbox.socrata import SocrataSandbox
from mlops_assets.settings import PROJECT_DIR

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET_BROWSER = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ROWS = 300
START_SECONDS = 120
STOP_SECONDS = 60


@dataclass(frozen=True)
class Platform:
    """A running UI and the folder that its runs store assets in."""

    url: str
    lake: Path


@pytest.fixture(scope="module")
def chromium() -> str:
    """The installed browser."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser in PATH (looked for {', '.join(BROWSERS)})")
    return found


@pytest.fixture(scope="module")
def platform(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """`dg dev` on the checkout's code and dagster.yaml, with all state in a temporary folder and ROWS crimes a month upstream."""
    home = tmp_path_factory.mktemp("platform")
    shutil.copy(PROJECT_DIR / "dagster.yaml", home)
    lake = home / "state" / "lake"
    with SocrataSandbox(today=date(2018, 2, 1), rows_per_month=ROWS) as portal:
        environment = {
            "DAGSTER_HOME": str(home),
            "MLOPS_HOME": str(home / "state"),
            "MLOPS_DAGSTER_DIR": str(home / "state" / "dagster"),
            "MLOPS_LAKE_URI": str(lake),
            "SOCRATA_URL": portal.url,
            # Whatever the developer's .env says, a failing run of this test alerts nobody.
            "MLOPS_ALERT_WEBHOOK_URL": portal.url,
        }
        with running_ui(home, environment) as url:
            yield Platform(url, lake)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A page of a browser with a fresh profile."""
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=QUIET_BROWSER) as browser:
        yield browser.new_page(viewport={"width": 1600, "height": 1000})


@contextmanager
def running_ui(home: Path, environment: dict[str, str]) -> Iterator[str]:
    """`dg dev` for the length of the block, with everything that it starts; yields its URL once it serves.

    It runs in `home`, because Dagster's commands let the .env of their working folder win over the environment.
    """
    port = free_port()
    command = [str(Path(sys.executable).parent / "dg"), "dev", "--workspace", str(PROJECT_DIR / "workspace.yaml")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with (home / "dg-dev.log").open("w+") as log:
        process = subprocess.Popen(
            command, cwd=home, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield serving_url(port, process, Path(log.name))
        finally:
            stop(process)


def serving_url(port: int, process: subprocess.Popen[bytes], log: Path) -> str:
    raise NotImplementedError


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process as Ctrl-C does, and whatever of its session outlives it."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
