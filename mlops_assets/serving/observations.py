"""A sample of what a system has stored, for pictures: rows of its warehouse table, or of its newest enriched partitions in the lake.

It only reads, and each store shows a reader whole partitions, so a run that writes at the same time changes nothing here.
"""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.domain import Batches, Domain, Hourly
from mlops_assets.serving.answers import Sample
from mlops_assets.settings import Settings
from mlops_assets.storage.lake import Lake
from mlops_assets.storage.warehouse import Warehouse, arrow_schema

MAX_ROWS = 10_000
SAMPLED_PARTITIONS = 12
"""The newest of the lake, as many as a year has months."""
COUNTS = "SELECT {partition} AS part, COUNT(*) AS n FROM {table} GROUP BY {partition} ORDER BY {partition}"
SAMPLE = "SELECT {columns} FROM {table} ORDER BY RANDOM() LIMIT :rows"


class NothingStoredError(LookupError):
    """The system has no observations yet."""


class Observations:
    """Reads the warehouse and the lake of `settings`."""

    def __init__(self, settings: Settings) -> None:
        self._warehouse_url = settings.warehouse_url
        self._lake = Lake(settings.lake_uri)

    def sample(self, domain: Domain, rows: int) -> Sample:
        """At most `rows` random rows; times as ISO 8601. NothingStoredError, or whatever the store raises."""
        if not 1 <= rows <= MAX_ROWS:
            raise ValueError(f"1 to {MAX_ROWS} rows can be had, not {rows}")
        return self._from_warehouse(domain, rows) if domain.observations else self._from_lake(domain, rows)

    def _from_warehouse(self, domain: Domain, rows: int) -> Sample:
        table = domain.table(domain.observations)
        names = ", ".join(column.name for column in table.columns)
        with Warehouse(self._warehouse_url.get_secret_value(), domain.tables).read() as reader:  # both queries see one state
            stored = reader.query(COUNTS.format(partition=table.partition_column, table=table.name)).to_pydict()
            if not stored["part"]:
                raise NothingStoredError(f"table {table.name} is empty: ingest {domain.name} first")
            found = reader.query(SAMPLE.format(columns=names, table=table.name), arrow_schema(table), rows=rows)
        keys = [_partition_key(domain, value) for value in stored["part"]]
        return _sample(found, dict(zip(keys, stored["n"], strict=True)))

    def _from_lake(self, domain: Domain, rows: int) -> Sample:
        folder = f"{domain.name}/enriched"
        stored = [key for key in self._lake.keys(folder) if key.endswith(".parquet") and not PurePosixPath(key).name.startswith(".")]
        if not stored:
            raise NothingStoredError(f"{self._lake.location(folder)} has no partition: ingest {domain.name} first")
        read = {
            PurePosixPath(key).stem: pq.read_table(pa.BufferReader(self._lake.read(key))) for key in sorted(stored)[-SAMPLED_PARTITIONS:]
        }
        table = pa.concat_tables(read.values(), promote_options="default")
        chosen = np.random.default_rng().permutation(table.num_rows)[:rows]
        return _sample(table.take(pa.array(np.sort(chosen))), {partition: part.num_rows for partition, part in read.items()})


def _partition_key(domain: Domain, value: object) -> str:
    """The partition's key as the lineage has it: batches are stored by number, hours by their first moment."""
    if isinstance(domain.cadence, Hourly) and isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H}"
    return f"{value:02d}" if isinstance(domain.cadence, Batches) and isinstance(value, int) else str(value)


def _sample(table: pa.Table, partitions: dict[str, int]) -> Sample:
    columns = {name: _plain(column) for name, column in table.to_pydict().items()}
    return Sample(rows=table.num_rows, partitions=partitions, columns=columns)


def _plain(values: Sequence[Any]) -> list[Any]:
    """The values as JSON has them; what is not a number is missing."""
    return [_plain_value(value) for value in values]


def _plain_value(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)
