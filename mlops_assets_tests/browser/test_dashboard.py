"""What an analyst sees and does in the dashboard: every page, a prediction through the form, a file, a promotion, an outage."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from mlops_assets.dashboard import theme
from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets_tests.dashboard.fake_api import FakeApi

START_SECONDS = 120
STOP_SECONDS = 30
HEADINGS = {
    "": "Models in service",
    "predictions": "Predictions: Forest cover",
    "forecast": "Forecast: Donostia parking",
    "analytics": "Analytics: Forest cover",
    "model": "Model: Forest cover",
    "settings": "Settings",
}


@dataclass(frozen=True)
class Dashboard:
    """A running dashboard and the API behind it."""

    url: str
    api: FakeApi


@pytest.fixture(scope="module")
def dashboard(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Streamlit as the command starts it, in front of an API with all systems; not started where there is no browser."""
    log = tmp_path_factory.mktemp("dashboard") / "streamlit.log"
    with FakeApi.of_all_systems() as api, log.open("w") as output:
        port = free_port()
        closed = "http://127.0.0.1:9"
        environment = {"MLOPS_API_URL": api.url, "MLOPS_API_KEYS": "", "MLFLOW_UI_URL": closed, "DAGSTER_UI_URL": closed}
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", *theme.command_line("127.0.0.1", port)],
            cwd=log.parent,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for_answer(f"{url}/_stcore/health", log)
            yield Dashboard(url, api)
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
        assert "Traceback" not in log.read_text()


@pytest.fixture
def open_page(dashboard: Dashboard, page: Page) -> Iterator[Page]:
    """The page, which must not have met an error of its own when the test is over."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert problems == []


@pytest.mark.parametrize("path", HEADINGS)
def test_page_opens_by_its_address_without_an_error(dashboard: Dashboard, open_page: Page, path: str) -> None:
    open_page.goto(f"{dashboard.url}/{path}")

    expect(open_page.get_by_role("heading", level=1)).to_have_text(HEADINGS[path])
    expect(open_page.get_by_text("Prediction API connected")).to_be_visible()
    expect(open_page.get_by_test_id("stAlert")).to_have_count(0)


def test_record_in_the_form_is_predicted(dashboard: Dashboard, open_page: Page) -> None:
    open_page.goto(f"{dashboard.url}/predictions")
    open_page.get_by_role("spinbutton", name="Elevation").fill("3100.5")
    open_page.get_by_role("button", name="Predict", exact=True).click()

    expect(open_page.get_by_test_id("stMetricValue")).to_have_text("Spruce/Fir (0)")
    expect(open_page.locator(".js-plotly-plot")).to_be_visible()
    assert dashboard.api.bodies[-1][0]["elevation"] == 3100.5


def test_file_is_scored_and_downloaded(dashboard: Dashboard, open_page: Page, tmp_path: Path) -> None:
    names = [field.name for field in FOREST_COVER.request]
    good = [str(field.example) for field in FOREST_COVER.request]
    lines = [names, *[good] * 1200, ["high", *good[1:]]]
    file = tmp_path / "samples.csv"
    file.write_text("\n".join(map(",".join, lines)))
    open_page.goto(f"{dashboard.url}/predictions")
    open_page.get_by_role("tab", name="CSV file").click()
    open_page.locator("input[type=file]").set_input_files(file)
    open_page.get_by_role("button", name="Predict 1,201 records").click()

    expect(open_page.get_by_text("1,200 records scored, 1 row not")).to_be_visible()
    with open_page.expect_download() as download:
        open_page.get_by_role("button", name="Download the predictions").click()
    scored = Path(download.value.path()).read_text().splitlines()
    assert len(scored) == 1202
    assert scored[0].startswith("row_number,")
    assert scored[0].endswith("probability_6,model_version,problem")
    assert scored[-1].startswith("1201,")
    assert scored[-1].endswith("elevation: 'high' is not a number")


def test_promoted_champion_shows_by_itself_and_leaves_the_form_as_it_is(dashboard: Dashboard, open_page: Page) -> None:
    served = dashboard.api.served["forest_cover"]
    open_page.goto(f"{dashboard.url}/predictions")
    open_page.get_by_role("spinbutton", name="Elevation").fill("3100.5")
    served.champion = 3
    try:
        expect(open_page.get_by_text("Champion: version 3", exact=True)).to_be_visible()
        expect(open_page.get_by_role("spinbutton", name="Elevation")).to_have_value("3100.5")
    finally:
        served.champion = 2


def test_outage_is_explained_and_ends_by_itself(dashboard: Dashboard, open_page: Page) -> None:
    dashboard.api.fault = (503, b"")
    try:
        open_page.goto(f"{dashboard.url}/model")
        expect(open_page.get_by_text("Prediction API not connected")).to_be_visible()
        expect(open_page.get_by_test_id("stAlert")).to_have_count(1)
    finally:
        dashboard.api.fault = None
    expect(open_page.get_by_role("heading", level=1)).to_have_text(HEADINGS["model"])


def wait_for_answer(url: str, log: Path) -> None:
    """Asks every second until somebody listens. RuntimeError with the log if nobody does."""
    with requests.Session() as session:
        session.mount(url, HTTPAdapter(max_retries=Retry(total=None, connect=START_SECONDS, backoff_factor=1, backoff_max=1)))
        try:
            session.get(url, timeout=START_SECONDS).raise_for_status()
        except requests.RequestException as error:
            raise RuntimeError(f"the dashboard does not serve; its log:\n{log.read_text()}") from error


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
