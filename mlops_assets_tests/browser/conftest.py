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
import requests
from playwright.sync_api import Page, expect, sync_playwright
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from mlops_assets.sandbox.socrata import SocrataSandbox
from mlops_assets.settings import PROJECT_DIR

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ROWS = 300
START_SECONDS = 180
STOP_SECONDS = 30
PATIENCE_SECONDS = 120
"""A busy machine takes that long to load the code or to start a run."""


@dataclass(frozen=True)
class Platform:
    """A running UI, the folder that its runs store assets in, and how many crimes every month has upstream."""

    url: str
    lake: Path
    rows: int


@pytest.fixture(scope="module")
def browser_path() -> str:
    """The installed browser; skips where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser in PATH; looked for {', '.join(BROWSERS)}")
    return found


@pytest.fixture(scope="module")
def platform(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The checkout's code and instance settings, with all state in a temporary folder; not started where there is no browser."""
    home = tmp_path_factory.mktemp("platform")
    shutil.copy(PROJECT_DIR / "dagster.yaml", home)
    state = home / "state"
    with SocrataSandbox(today=date(2018, 2, 1), rows_per_month=ROWS) as portal:
        settings = {
            "DAGSTER_HOME": str(home),
            "MLOPS_HOME": str(state),
            "MLOPS_DAGSTER_DIR": str(state / "dagster"),
            "MLOPS_LAKE_URI": str(state / "lake"),
            "SOCRATA_URL": portal.url,
            # Whatever the developer's .env says, a run that fails here alerts nobody.
            "MLOPS_ALERT_WEBHOOK_URL": portal.url,
        }
        with running_ui(home, settings) as url:
            yield Platform(url, state / "lake", ROWS)


@pytest.fixture
def page(browser_path: str) -> Iterator[Page]:
    """A page in a browser with a fresh profile, where Dagster's welcome dialog is skipped whenever it comes up."""
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=browser_path, args=BROWSER_OPTIONS) as browser:
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        expect.set_options(timeout=PATIENCE_SECONDS * 1000)
        page.add_locator_handler(page.get_by_role("button", name="Skip"), lambda skip: skip.click())
        yield page


@contextmanager
def running_ui(home: Path, settings: dict[str, str]) -> Iterator[str]:
    """`dg dev` for the length of the block, with everything that it starts; yields its URL once it answers.

    It works in `home`, because Dagster lets the .env of its working folder win over the environment.
    """
    port = free_port()
    dg, workspace = Path(sys.executable).parent / "dg", PROJECT_DIR / "workspace.yaml"
    with (home / "dg-dev.log").open("w+") as log:
        process = subprocess.Popen(
            [dg, "dev", "--workspace", workspace, "--host", "127.0.0.1", "--port", str(port)],
            cwd=home,
            env={**os.environ, **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for_answer(f"{url}/server_info", Path(log.name))
            yield url
        finally:
            stop(process)


def wait_for_answer(url: str, log: Path) -> None:
    """Asks every second until somebody listens. RuntimeError with the log if nobody does."""
    with requests.Session() as session:
        session.mount(url, HTTPAdapter(max_retries=Retry(total=None, connect=START_SECONDS, backoff_factor=1, backoff_max=1)))
        try:
            session.get(url, timeout=START_SECONDS).raise_for_status()
        except requests.RequestException as error:
            raise RuntimeError(f"the UI does not serve; its log:\n{log.read_text()}") from error


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and its children as Ctrl-C in a terminal does; kills what does not end."""
    os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
