"""The dashboard's pages without a browser, in front of a prediction API that answers over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mlops_assets.dashboard import theme
from mlops_assets.domains import DOMAINS
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets_tests.dashboard.fake_api import FakeApi

Open = Callable[[str], AppTest]
PATIENCE_SECONDS = 60


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """An API with all systems, which the dashboard's settings name; no key is set."""
    for domain in (FOREST_COVER, DONOSTIA_PARKING):
        monkeypatch.setitem(DOMAINS, domain.name, domain)
    with FakeApi.of_all_systems() as api:
        monkeypatch.setenv("MLOPS_API_URL", api.url)
        monkeypatch.setenv("MLOPS_API_KEYS", "")
        monkeypatch.setenv("MLFLOW_UI_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("DAGSTER_UI_URL", "http://127.0.0.1:9")
        yield api


@pytest.fixture
def no_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that name an address where nobody listens."""
    for name in ("MLOPS_API_URL", "MLFLOW_UI_URL", "DAGSTER_UI_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def open_page() -> Iterator[Open]:
    """Opens a page by the name of its module; answers of other tests are forgotten."""
    st.cache_data.clear()

    def open_it(name: str) -> AppTest:
        app = AppTest.from_file(str(theme.ENTRY), default_timeout=PATIENCE_SECONDS).run()
        return app.switch_page(str(Path("views") / f"{name}.py")).run()

    yield open_it
    st.cache_data.clear()
