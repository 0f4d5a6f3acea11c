"""PostgreSQL through ADBC: rows go in and out as Arrow, by COPY. Every call connects anew, so restarts of the server pass unnoticed."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from urllib.parse import parse_qs, unquote, urlsplit

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_postgresql import dbapi

from mlops_assets.domain import Table
from mlops_assets.storage.warehouse.errors import AbortedError, WarehouseError
from mlops_assets.storage.warehouse.statements import Statement, create_index, create_stage

SERIALIZATION_FAILURES = ("40001", "40P01")
"""SQLSTATE of transactions that lost against another one."""
HIDDEN = "***"


class PostgresEngine:
    """Tables in the first schema of the connection's search path."""

    dialect = "postgres"

    def __init__(self, url: str) -> None:
        """ValueError, which shows nothing of the address, for one that libpq and `urlsplit` read in different ways."""
        scheme, separator, rest = url.partition("://")
        credentials, _, address = rest.rpartition("@")
        if not separator or scheme not in ("postgres", "postgresql") or set(credentials) & set("#?/"):
            raise ValueError(
                "a PostgreSQL address looks like postgresql://user:password@host:port/database; in user and password "
                "write # as %23, / as %2F, ? as %3F and @ as %40"
            )
        self._url = url
        parts = urlsplit(f"postgresql://{address}")
        query = parse_qs(parts.query)
        self.location = f"postgresql://{query.get('host', [parts.netloc or 'localhost'])[0]}{parts.path}"
        # An `@` in a password that is not percent-encoded is parsed in more than one way, so every reading of it is hidden.
        user, _, behind = credentials.partition("@")
        password = credentials.partition(":")[2]
        readings = [password, password.partition("@")[0], user.partition(":")[2], behind, *query.get("password", [])]
        self._secrets = {secret for reading in readings if reading for secret in (reading, unquote(reading))}

    @contextmanager
    def reading(self) -> Iterator["PostgresSession"]:
        """One snapshot for all reads."""
        with self._session() as session:
            session.define(Statement("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            yield session

    @contextmanager
    def writing(self, tables: list[str]) -> Iterator["PostgresSession"]:
        """Advisory locks until the end of the transaction, in the order of names: two writers never wait for each other."""
        with self._session() as session:
            for table in sorted(tables):
                lock = Statement("SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.' || $1))", {"table": table})
                session.fetch(lock)
            yield session
            session.commit()

    @contextmanager
    def _session(self) -> Iterator["PostgresSession"]:
        try:
            # Closing without a commit rolls back.
            with closing(dbapi.connect(self._url)) as connection, closing(connection.cursor()) as cursor:
                yield PostgresSession(connection, cursor)
        except adbc_driver_manager.Error as error:
            kind = AbortedError if error.sqlstate in SERIALIZATION_FAILURES else WarehouseError
            raise kind(f"PostgreSQL {self.location}: {self._without_secrets(str(error))}") from None  # the cause's text may hold the URL

    def _without_secrets(self, text: str) -> str:
        for secret in sorted({self._url, *self._secrets}, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text.strip()


class PostgresSession:
    """One connection, its transaction open."""

    def __init__(self, connection: dbapi.Connection, cursor: dbapi.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor
        self._staged = 0

    def columns(self, table: str) -> Mapping[str, str] | None:
        """From the catalogue, with the precision of decimals."""
        catalogue = (
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped"
        )
        names, types = self.fetch(Statement(catalogue, {"table": table})).columns
        return dict(zip(names.to_pylist(), types.to_pylist(), strict=True)) or None

    def define(self, statement: Statement) -> None:
        """Inside the transaction, like everything."""
        self._cursor.execute(statement.sql)

    def index(self, table: Table) -> None:
        """By partition, and by key where rows are written by it."""
        self.define(create_index(table.name, [table.partition_column]))
        if table.mode in ("add", "merge"):
            self.define(create_index(table.name, table.keys))

    def stage(self, table: Table, rows: pa.Table) -> str:
        """A temporary table, gone with the connection."""
        self._staged += 1
        name = f"stage_{self._staged}"
        self.define(create_stage(table, name, "postgres"))
        self._cursor.adbc_ingest(name, rows, mode="append", temporary=True)
        self._cursor.execute(f"ANALYZE {name}")  # without it the planner takes the staged rows for a handful
        return name

    def change(self, statement: Statement) -> int:
        """Counted by the server; ADBC does not hand on the count of a statement with parameters."""
        counted = f"WITH changed AS ({statement.sql} RETURNING 1) SELECT count(*) FROM changed"  # noqa: S608  # the platform's own statement
        return int(self.fetch(Statement(counted, statement.parameters))[0][0].as_py())

    def fetch(self, statement: Statement) -> pa.Table:
        """As one Arrow table."""
        self._cursor.execute(statement.sql, tuple(statement.parameters.values()) or None)
        return self._cursor.fetch_arrow_table()

    def commit(self) -> None:
        """Ends the transaction."""
        self._connection.commit()
