"""BigQuery: rows go in by load jobs, statements of one transaction through one BigQuery session. Comes with the `cloud` extra.

The address names the dataset and, as `?location=EU`, where the first writer makes it; without a location that is BigQuery's default.
Definitions cannot be part of a transaction there, and rows that are only inserted do not conflict: so tables are made before it begins,
and every writer first updates its tables' rows in `mlops_locks`, over which BigQuery lets one of two writers win.
"""

import io
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from requests import RequestException

from mlops_assets.domain import Column, ColumnType, Table
from mlops_assets.storage.warehouse.errors import AbortedError, WarehouseError
from mlops_assets.storage.warehouse.rows import conform
from mlops_assets.storage.warehouse.statements import Statement, create_table, insert_missing

ADDRESS = re.compile(r"bigquery://(?P<project>[^/?#]+)/(?P<dataset>[^/?#]+)(?:\?location=(?P<region>[A-Za-z0-9-]+))?")
STAGE_LIFETIME = timedelta(hours=6)
"""The longest that a load and its transaction take; then BigQuery drops what a killed process left."""
CONFLICT = "concurrent update"
"""What BigQuery says when a transaction lost against another one."""
STANDARD_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
FIELD_TYPES: Mapping[ColumnType, str] = {
    "string": "STRING",
    "boolean": "BOOL",
    "long": "INT64",
    "double": "FLOAT64",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
PARAMETER_TYPES: Mapping[type, str] = {
    str: "STRING",
    bool: "BOOL",
    int: "INT64",
    float: "FLOAT64",
    date: "DATE",
    datetime: "TIMESTAMP",
    Decimal: "NUMERIC",
}
LOCKS = Table(
    name="mlops_locks",
    description="One row for each table, changed by every transaction that writes the table.",
    columns=(Column("table_name", "string", "The table."), Column("holder", "string", "The last transaction that wrote it.")),
    partition_column="table_name",
    mode="add",
    keys=("table_name",),
)


class BigqueryEngine:
    """Tables in one dataset, made by the first writer. Credentials come from Google's own environment variables."""

    dialect = "bigquery"

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        address = ADDRESS.fullmatch(url)
        if not address:
            raise ValueError(f"a BigQuery warehouse is bigquery://project/dataset or bigquery://project/dataset?location=EU, not {url!r}")
        self._project, self._dataset, self._region = address["project"], address["dataset"], address["region"]
        self._options = options
        self._is_there = False
        self.location = f"bigquery://{self._project}/{self._dataset}"

    @contextmanager
    def reading(self) -> Iterator["BigquerySession"]:
        """Each read sees its own state. Before the first writer there are no tables, and reading makes no dataset."""
        with self._session([], make=False) as session:
            yield session

    @contextmanager
    def writing(self, tables: list[str]) -> Iterator["BigquerySession"]:
        """The transaction begins with the first change, after that change's rows are loaded."""
        with self._session(tables, make=True) as session:
            yield session
            session.commit()

    @contextmanager
    def _session(self, tables: list[str], *, make: bool) -> Iterator["BigquerySession"]:
        try:
            client = bigquery.Client(project=self._project, location=self._region, **self._options)
            self._is_there = self._is_there or self._finds_dataset(client, make)
            session = BigquerySession(client, self._dataset if self._is_there else None, tables)
            try:
                yield session
            finally:
                session.close()
        except (GoogleAPIError, GoogleAuthError, RequestException) as error:
            kind = AbortedError if CONFLICT in str(error) else WarehouseError
            raise kind(f"BigQuery {self.location}: {error}") from error

    def _finds_dataset(self, client: bigquery.Client, make: bool) -> bool:
        """Whether it is there, or has been made. WarehouseError if it is somewhere else than the address says."""
        name = f"{self._project}.{self._dataset}"
        try:
            found = client.get_dataset(name)
        except NotFound:
            if not make:
                return False
            found = client.create_dataset(name, exists_ok=True)  # in the client's location
        if self._region and found.location.lower() != self._region.lower():
            raise WarehouseError(
                f"BigQuery {self.location} is in {found.location}, and the address says location={self._region}: a dataset does not move, "
                "so correct the address or name another dataset"
            )
        return True


class BigquerySession:
    """One client; from the first change on, one BigQuery session with an open transaction."""

    def __init__(self, client: bigquery.Client, dataset: str | None, tables: list[str]) -> None:
        self._client = client
        self._dataset = dataset and f"{client.project}.{dataset}"
        self._tables = tables
        self._transaction: str | None = None
        self._stages: list[str] = []

    def columns(self, table: str) -> Mapping[str, str] | None:
        """From the table's own description."""
        if self._dataset is None:
            return None
        try:
            fields = self._client.get_table(f"{self._dataset}.{table}").schema
        except NotFound:
            return None
        return {field.name: _type_of(field) for field in fields}

    def define(self, statement: Statement) -> None:
        """At once: before the transaction begins."""
        self._run(statement)

    def index(self, table: Table) -> None:
        """Tables are made that way (see `create_table`)."""

    def stage(self, table: Table, rows: pa.Table) -> str:
        """A table of its own that expires, filled by a load job: that costs nothing and has no limit on rows."""
        name = f"stage_{uuid.uuid4().hex}"
        schema = [_field(column) for column in table.columns]
        stage = bigquery.Table(f"{self._dataset}.{name}", schema=schema)
        stage.expires = datetime.now(UTC) + STAGE_LIFETIME
        self._client.create_table(stage)
        self._stages.append(name)
        buffer = io.BytesIO()
        pq.write_table(rows, buffer)
        buffer.seek(0)
        config = bigquery.LoadJobConfig(source_format="PARQUET", schema=schema, write_disposition="WRITE_APPEND")
        self._client.load_table_from_file(buffer, f"{self._dataset}.{name}", job_config=config).result()
        return name

    def change(self, statement: Statement) -> int:
        """BigQuery's count."""
        if self._transaction is None:
            self._begin()
        return int(self._run(statement).num_dml_affected_rows or 0)

    def fetch(self, statement: Statement) -> pa.Table:
        """Through the REST API: the storage API is another service, with permissions of its own."""
        return self._run(statement).to_arrow(create_bqstorage_client=False)

    def commit(self) -> None:
        """Ends the transaction, if there was any change."""
        if self._transaction is not None:
            self._run(Statement("COMMIT TRANSACTION"))
            self._transaction = None

    def close(self) -> None:
        """Rolls back what is not committed, drops what was staged."""
        if self._transaction is not None:
            with suppress(GoogleAPIError):  # it is gone already where BigQuery gave it up
                self._run(Statement("ROLLBACK TRANSACTION"))
        for name in self._stages:
            with suppress(GoogleAPIError):  # it expires
                self._client.delete_table(f"{self._dataset}.{name}", not_found_ok=True)
        self._client.close()  # type: ignore[no-untyped-call]

    def _begin(self) -> None:
        rows = conform(LOCKS, pa.table({"table_name": self._tables}), None)
        if self.columns(LOCKS.name) is None:
            self.define(create_table(LOCKS, "bigquery"))
        held = self.fetch(Statement("SELECT table_name FROM mlops_locks"))["table_name"].to_pylist()
        if not set(self._tables) <= set(held):
            self._run(insert_missing(LOCKS, self.stage(LOCKS, rows), "bigquery"))
        job = self._client.query("BEGIN TRANSACTION", job_config=self._config(create_session=True))
        job.result()
        self._transaction = job.session_info.session_id if job.session_info else None
        for table in self._tables:
            lock = "UPDATE mlops_locks SET holder = @holder WHERE table_name = @table_name"
            self._run(Statement(lock, {"holder": self._transaction, "table_name": table}))

    def _run(self, statement: Statement) -> Any:
        """The finished job."""
        properties = [bigquery.ConnectionProperty("session_id", self._transaction)] if self._transaction else []
        bound = statement.parameters.items()
        parameters = [bigquery.ScalarQueryParameter(name, PARAMETER_TYPES[type(value)], value) for name, value in bound]
        config = self._config(connection_properties=properties, query_parameters=parameters)
        job = self._client.query(statement.sql, job_config=config)
        job.result()
        return job

    def _config(self, **options: Any) -> bigquery.QueryJobConfig:
        return bigquery.QueryJobConfig(**({"default_dataset": self._dataset} if self._dataset else {}), **options)


def _field(column: Column) -> bigquery.SchemaField:
    if column.type == "decimal":
        return bigquery.SchemaField(column.name, "NUMERIC", precision=10, scale=2)
    return bigquery.SchemaField(column.name, FIELD_TYPES[column.type])


def _type_of(field: bigquery.SchemaField) -> str:
    name = STANDARD_NAMES.get(field.field_type, field.field_type)
    return f"{name}({field.precision}, {field.scale})" if field.precision else name
