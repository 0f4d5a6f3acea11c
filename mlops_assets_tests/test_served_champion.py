"""From the upstream to the answer: every system trained on its sandbox, its champion asked through the prediction API."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mlops_assets.dashboard import theme
from mlops_assets.domain import TabularDomain
from mlops_assets.domains import DOMAINS
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING, PREDICTIONS
from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets.hours import HOUR, hour_key, hour_of
from mlops_assets.ml import registry
from mlops_assets.ml.chain import raw_records
from mlops_assets.ml.task import task_of
from mlops_assets.resources.donostia_api import DonostiaResource
from mlops_assets.resources.forest_api import ForestApiResource
from mlops_assets.resources.socrata import SocrataResource
from mlops_assets.sandbox.donostia import DonostiaSandbox
from mlops_assets.sandbox.forest_cover import ForestCoverSandbox
from mlops_assets.sandbox.socrata import SocrataSandbox
from mlops_assets_tests.platform import Platform
from mlops_assets_tests.running_api import Api, running

RECORDS = 1000
PARITY = 1e-9
TOLERANCE = 1e-6
"""Of probabilities: what answers online may compute in single precision."""
WINDOWS = {CHICAGO_CRIME.name: ("2017-01", "2017-12"), FOREST_COVER.name: ("01", "04")}
NOW = datetime(2026, 3, 4, 9, 20, tzinfo=UTC)
"""The API's clock: a forecast is of now."""
HOURS = 8 * 24
"""Of the car parks, up to the last hour that has ended by then."""
TABULAR = [domain for domain in DOMAINS.values() if isinstance(domain, TabularDomain)]
ONE_MODEL = {"model": {"trials": 0}}
"""The first candidate as it stands."""

Platforms = dict[str, Platform]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all systems share."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def api(home: Path) -> Iterator[Api]:
    """The prediction API, started before anything is registered and never again."""
    uri, warehouse = f"sqlite:///{home / 'ml flow' / 'mlflow.db'}", f"duckdb:///{home / 'ware house.duckdb'}"
    with running(
        uri, home, tuple(DOMAINS.values()), now=lambda: NOW, mlops_lake_uri=str(home / "la ke"), mlops_warehouse_url=warehouse
    ) as api:
        assert api.get("/health").json()["ready"] is False
        yield api


@pytest.fixture(scope="module")
def platforms(home: Path, api: Api) -> Iterator[Platforms]:
    """Every system, its first window ingested and trained."""
    with ExitStack() as stack:
        portal = stack.enter_context(SocrataSandbox(rows_per_month=500))
        forest = stack.enter_context(ForestCoverSandbox(batch_seconds=0, batch_rows=13_000))
        instance = stack.enter_context(dg.instance_for_test(temp_dir=str(home)))
        feed = stack.enter_context(DonostiaSandbox())
        upstream = {
            "socrata": SocrataResource(url=portal.url, attempts=1),
            "forest_api": ForestApiResource(url=forest.url, attempts=1),
            "donostia_api": DonostiaResource(url=feed.url, attempts=1),
        }
        platforms = {name: Platform(domain, home, instance, upstream) for name, domain in DOMAINS.items()}
        for name, (first, last) in WINDOWS.items():
            assert platforms[name].ingest(first, last).success
            assert platforms[name].train(last, ONE_MODEL).success
        parking, hour = platforms[DONOSTIA_PARKING.name], hour_of(hour_key(NOW)) - HOUR
        assert parking.ingest(hour_key(hour - (HOURS - 1) * HOUR), hour_key(hour)).success
        assert parking.train(hour_key(hour)).success
        assert parking.run("forecast", hour_key(hour)).success
        yield platforms


def test_a_new_champion_is_served_without_a_restart_and_shown_on_the_dashboard(
    platforms: Platforms, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    forest = platforms[FOREST_COVER.name]
    first = registry.resolve(registry.connect(forest.tracking_uri), f"{FOREST_COVER.model_name}@champion").version
    api.until(lambda health: health["models"][FOREST_COVER.name]["version"] == str(first))

    with asking(api, {field.name: field.example for field in FOREST_COVER.request}) as answers:
        assert forest.ingest("05", "10").success
        assert forest.train("10", ONE_MODEL).success
        second = registry.resolve(registry.connect(forest.tracking_uri), f"{FOREST_COVER.model_name}@champion").version
        assert second != first
        api.until(lambda health: health["models"][FOREST_COVER.name]["version"] == str(second))

    assert {status for status, _ in answers} == {200}
    versions = [body["model_version"] for _, body in answers]
    assert versions == sorted(versions)
    assert {body["model_version"]: body["probabilities"] for _, body in answers}.keys() >= {str(first)}
    assert len({str(body) for _, body in answers}) == len(set(versions)), "one version, one answer"
    assert f"version {second}" in shown(api, monkeypatch)


@pytest.mark.parametrize("domain", TABULAR, ids=[domain.name for domain in TABULAR])
def test_served_answers_are_the_lineages_own(domain: TabularDomain, platforms: Platforms, api: Api) -> None:
    platform, task = platforms[domain.name], task_of(domain)
    champion = registry.trace(registry.connect(platform.tracking_uri), f"{domain.model_name}@champion")
    api.until(lambda health: health["models"][domain.name]["version"] == str(champion.version))
    partition = champion.provenance.partition
    records = raw_records(platform.frame("split_test", partition), domain)[:RECORDS]
    expected = platform.frame("test_predictions", partition)[:RECORDS]
    assert len(records) == RECORDS

    body = json.loads(records.to_json(orient="records", date_format="iso", double_precision=15))
    answer = api.post(f"/models/{domain.name}/predict", json={"records": body})

    assert answer.status_code == 200, answer.text
    assert answer.json()["model_version"] == str(champion.version)
    assert answer.json()["predictions"] == expected["label"].tolist()
    probabilities = task.probabilities(expected)
    served = np.array(answer.json()["probabilities"])
    assert np.abs(served - (probabilities if domain.classes else probabilities[:, 1])).max() <= TOLERANCE


def test_a_served_forecast_is_the_published_one(platforms: Platforms, api: Api) -> None:
    platform = platforms[DONOSTIA_PARKING.name]
    champion = registry.trace(registry.connect(platform.tracking_uri), f"{DONOSTIA_PARKING.model_name}@champion")
    api.until(lambda health: health["models"][DONOSTIA_PARKING.name]["version"] == str(champion.version))
    published = platform.warehouse.warehouse.rows(PREDICTIONS).to_pandas()
    (created_at,) = set(published["created_at"])
    ids = [None, *sorted(published["parking_id"].dropna().unique())]
    assert len(ids) == 17

    for parking_id in ids:
        answer = api.post(f"/models/{DONOSTIA_PARKING.name}/forecast", json={"horizon": 24, "parking_id": parking_id}).json()

        own = published[published["parking_id"].isna() if parking_id is None else published["parking_id"] == parking_id]
        own = own.sort_values("horizon")
        assert datetime.fromisoformat(answer["created_at"]) == created_at <= NOW < min(own["timestamp"])
        assert [row["horizon"] for row in answer["forecast"]] == own["horizon"].tolist() == list(range(1, 25))
        for column in ("yhat", "yhat_lower", "yhat_upper"):
            served = np.array([row[column] for row in answer["forecast"]], dtype=float)
            assert np.abs(served - own[column].to_numpy()).max() <= PARITY
        assert answer["model_version"] == own["model_version"].iloc[0] == str(champion.version)


@pytest.mark.parametrize(("field", "value"), [("date", "yesterday"), ("x_coordinate", "0")])
def test_a_value_that_only_the_enricher_understands_is_named_by_record_and_field(
    platforms: Platforms, api: Api, field: str, value: str
) -> None:
    api.until(lambda health: health["models"][CHICAGO_CRIME.name]["ready"])
    record = {item.name: item.example for item in CHICAGO_CRIME.request}

    answer = api.post(f"/models/{CHICAGO_CRIME.name}/predict", json={"records": [record, {**record, field: value}]})

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["record"], error["field"]) == (1, field)
    assert error["message"].startswith(repr(value))


@contextmanager
def asking(api: Api, record: dict[str, Any]) -> Iterator[list[tuple[int, Any]]]:
    """Asks the same again and again while the block runs; status and body of every answer."""
    answers: list[tuple[int, Any]] = []
    done = threading.Event()

    def ask() -> None:
        client = Api(api.url)
        while not done.is_set():
            answer = client.post(f"/models/{FOREST_COVER.name}/predict", json={"records": [record]})
            answers.append((answer.status_code, answer.json()))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield answers
    finally:
        done.set()
        asker.join()


def shown(api: Api, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the dashboard says when it is opened and forest cover is chosen."""
    monkeypatch.setenv("MLOPS_API_URL", api.url)
    monkeypatch.setenv("MLOPS_API_KEYS", "")
    st.cache_data.clear()
    app = AppTest.from_file(str(theme.ENTRY), default_timeout=60).run()
    app.sidebar.selectbox[0].set_value(FOREST_COVER.name).run()
    assert not app.exception
    return " ".join(str(element.value) for element in [*app.sidebar.caption, *app.caption, *app.markdown])
