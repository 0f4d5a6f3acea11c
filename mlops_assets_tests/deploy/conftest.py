"""Warehouses with rows of every system for the panels of the generated dashboards: by the pipeline itself, and made up."""

from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi

from deploy.grafana.files import SYSTEMS
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets.hours import HOUR, hour_key, hour_of
from mlops_assets.resources.donostia_api import DonostiaResource
from mlops_assets.resources.forest_api import ForestApiResource
from mlops_assets.resources.socrata import SocrataResource
from mlops_assets.sandbox.donostia import DonostiaSandbox
from mlops_assets.sandbox.forest_cover import ForestCoverSandbox
from mlops_assets.sandbox.socrata import SocrataSandbox
from mlops_assets.storage.warehouse import Warehouse
from mlops_assets_tests.deploy.small_rows import END, fill
from mlops_assets_tests.platform import Platform

# The emulator is started once more for these tests: a session's fixture belongs to the folder that declares it.
from mlops_assets_tests.storage.warehouse.conftest import bigquery_dataset, bigquery_options

if TYPE_CHECKING:
    from pgserver import PostgresServer

__all__ = ["bigquery_dataset", "bigquery_options"]

FIRST_HOUR, TRAINED_HOUR = "2022-05-01T00", "2022-05-11T23"
"""In less than these eleven days the methods have no cutoffs in common, but for the most naive ones, which the gate refuses."""
FORECAST_AFTER = (0, 2, 25)
"""Hours after the trained one that forecast. The last two score what the first has published for 1 and for 24 hours later."""
ONE_MODEL = {"model": {"trials": 0}}
"""The first candidate as it stands."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A PostgreSQL with rows of every system, which lie between two times."""

    url: str
    start: datetime
    end: datetime

    def ask(self, sql: str) -> pa.Table:
        """What Grafana would get."""
        return ask(self.url, sql)


def ask(url: str, sql: str) -> pa.Table:
    """The rows of a query, as they are."""
    with closing(dbapi.connect(url, autocommit=True)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        rows: pa.Table = cursor.fetch_arrow_table()
        return rows


@pytest.fixture(scope="session")
def filled_postgresql(postgresql_server: "PostgresServer", tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """Every system ingested from its sandbox and trained, Donostia's hours forecast, and all of it mirrored."""
    with closing(dbapi.connect(postgresql_server.get_uri(), autocommit=True)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("CREATE DATABASE filled")
    url, home = postgresql_server.get_uri("filled"), tmp_path_factory.mktemp("home")
    with ExitStack() as stack:
        portal = stack.enter_context(SocrataSandbox(rows_per_month=500))
        forest = stack.enter_context(ForestCoverSandbox(batch_seconds=0, batch_rows=26_000))
        feed = stack.enter_context(DonostiaSandbox())
        forest.faults.add("short_row", share=0.01)
        feed.faults.add("free", times=None, value="closed", since="2022-05-04T06:00:00Z", until="2022-05-04T09:00:00Z")
        feed.faults.add("html", since="2022-05-06T03:00:00Z", until="2022-05-06T04:00:00Z")
        upstream = {
            "socrata": SocrataResource(url=portal.url, attempts=1),
            "forest_api": ForestApiResource(url=forest.url, attempts=1),
            "donostia_api": DonostiaResource(url=feed.url, attempts=1),
        }
        instance = stack.enter_context(dg.DagsterInstance.ephemeral())
        chicago, cover, donostia = (
            Platform(domain, home, instance, upstream, url) for domain in (CHICAGO_CRIME, FOREST_COVER, DONOSTIA_PARKING)
        )
        for platform, first, last in ((chicago, "2017-01", "2017-12"), (cover, "01", "02")):
            assert platform.ingest(first, last).success
            assert platform.train(last, ONE_MODEL).success
        forecast_hours = [hour_key(hour_of(TRAINED_HOUR) + hours * HOUR) for hours in FORECAST_AFTER]
        assert donostia.ingest(FIRST_HOUR, forecast_hours[-1]).success
        assert donostia.train(TRAINED_HOUR).success
        for hour in forecast_hours:
            assert donostia.run("forecast", hour).success
        assert donostia.mirror().success
    return Filled(url, hour_of(FIRST_HOUR), datetime.now(UTC) + timedelta(days=1))


@pytest.fixture
def small_postgresql(postgresql_url: str) -> Filled:
    """A few rows that a test can foresee."""
    fill(Warehouse(postgresql_url), SYSTEMS)
    return Filled(postgresql_url, END - timedelta(days=7), END + timedelta(days=1))


@pytest.fixture
def filled_bigquery(bigquery_dataset: str, bigquery_options: dict[str, Any]) -> str:
    """The name of a dataset where every table has rows."""
    fill(Warehouse(f"bigquery://test/{bigquery_dataset}", **bigquery_options), SYSTEMS)
    return bigquery_dataset
