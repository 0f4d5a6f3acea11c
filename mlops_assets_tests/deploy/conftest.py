"""The generated dashboards, and warehouses with rows of every system for their panels."""

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi

from deploy.grafana.files import SYSTEMS
from mlops_assets.storage.warehouse import Warehouse
from mlops_assets_tests.deploy.small_rows import END, fill

# The emulator is started once more for these tests: a session's fixture belongs to the folder that declares it.
from mlops_assets_tests.storage.warehouse.conftest import bigquery_dataset, bigquery_options

__all__ = ["bigquery_dataset", "bigquery_options"]


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


@pytest.fixture
def filled_postgresql(postgresql_url: str) -> Filled:
    """Every table has rows."""
    fill(Warehouse(postgresql_url), SYSTEMS)
    return Filled(postgresql_url, END - timedelta(days=7), END + timedelta(days=1))


@pytest.fixture
def filled_bigquery(bigquery_dataset: str, bigquery_options: dict[str, Any]) -> str:
    """The name of a dataset where every table has rows."""
    fill(Warehouse(f"bigquery://test/{bigquery_dataset}", **bigquery_options), SYSTEMS)
    return bigquery_dataset
