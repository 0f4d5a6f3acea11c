"""What goes wrong with one engine only: files that cannot be used, servers that refuse, addresses that are none, secrets in messages."""

import os
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi

from mlops_assets.domain import Column, Table
from mlops_assets.storage.warehouse import Transaction, Warehouse, WarehouseError, duckdb_engine
from mlops_assets.storage.warehouse.file_lock import locked
from mlops_assets.storage.warehouse.statements import Statement, create_table, delete_rows, of_partitions

ROW = pa.table({"id": ["a"]})


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:s3cret@host/db",
        "warehouse.duckdb",
        "duckdb://file",
        "duckdb:///",
        "bigquery://project",
        "bigquery://a/b/c",
        "bigquery://a/b?region=EU",
    ],
)
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"duckdb:///|bigquery://project/dataset") as error:
        Warehouse(url)
    assert "s3cret" not in str(error.value)


def test_reading_makes_no_file(tmp_path: Path, observations: Table) -> None:
    assert Warehouse(f"duckdb:///{tmp_path}/no folder/x.duckdb").rows(observations).num_rows == 0
    assert list(tmp_path.iterdir()) == []


def test_damaged_file_is_named_with_what_to_do(tmp_path: Path, observations: Table) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(b"no database" * 10_000)
    warehouse = Warehouse(f"duckdb:///{path}")

    for use in (lambda: warehouse.rows(observations), lambda: warehouse.write(observations, ROW)):
        with pytest.raises(WarehouseError, match=rf"cannot open {path}: .* move it and warehouse\.duckdb\.wal away, restore a copy"):
            use()
    assert path.read_bytes() == b"no database" * 10_000


def test_folder_that_cannot_be_written_is_named(tmp_path: Path, observations: Table) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseError, match=rf"DuckDB {tmp_path}/file/warehouse\.duckdb: its folder must be writable"):
        Warehouse(f"duckdb:///{tmp_path}/file/warehouse.duckdb").write(observations, ROW)


def test_killed_creation_leaves_no_database_that_readers_stumble_over(tmp_path: Path, observations: Table) -> None:
    warehouse = Warehouse(f"duckdb:///{tmp_path}/warehouse.duckdb")
    (tmp_path / ".warehouse.duckdb.0123.tmp").write_bytes(b"half a database")

    assert not warehouse.exists(observations)
    warehouse.write(observations, ROW)
    assert warehouse.rows(observations).num_rows == 1


def test_writer_that_hangs_is_reported_after_a_while(tmp_path: Path, observations: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "warehouse.duckdb"
    Warehouse(f"duckdb:///{path}").write(observations, ROW)
    monkeypatch.setattr(duckdb_engine, "LOCK_SECONDS", 0.05)

    with locked(path, exclusive=True, seconds=1), pytest.raises(WarehouseError, match=rf"{path} has been in use by another process"):
        Warehouse(f"duckdb:///{path}").rows(observations)


def test_readers_share_the_lock_and_a_waiting_writer_goes_before_later_readers(tmp_path: Path) -> None:
    path, entered = tmp_path / "file", threading.Event()

    def write() -> None:
        with locked(path, exclusive=True, seconds=10):
            entered.set()

    with locked(path, exclusive=False, seconds=1):
        with locked(path, exclusive=False, seconds=1):
            pass
        waiting = threading.Thread(target=write)
        waiting.start()
        deadline = time.monotonic() + 10
        with pytest.raises(TimeoutError):
            while time.monotonic() < deadline:  # until the writer has the gate
                with locked(path, exclusive=False, seconds=0.2):
                    assert not entered.is_set()
    waiting.join()
    assert entered.is_set()


def test_lock_ends_with_a_terminated_process(tmp_path: Path) -> None:
    path = tmp_path / "file"
    program = "import sys, time; from pathlib import Path; from mlops_assets.storage.warehouse.file_lock import locked\n"
    program += "with locked(Path(sys.argv[1]), exclusive=True, seconds=1): print('in', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "in\n"
        holder.terminate()
        holder.wait()
    with locked(path, exclusive=True, seconds=1):
        pass


def test_threads_of_one_process_read_and_write_one_file(tmp_path: Path, observations: Table) -> None:
    warehouse, failures = Warehouse(f"duckdb:///{tmp_path}/warehouse.duckdb"), []

    def use(name: str) -> None:
        try:
            for number in range(5):
                warehouse.write(observations, pa.table({"id": [f"{name}{number}"]}))
                warehouse.rows(observations)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert warehouse.rows(observations).num_rows == 20


@pytest.mark.parametrize("password", ["s3cret", "s3c%2Fret", "s3c ret", "s3c@ret", "s3c:ret", "%zz"])
def test_refused_connection_names_the_server_and_never_the_password(password: str, observations: Table) -> None:
    warehouse = Warehouse(f"postgresql://me:{password}@127.0.0.1:1/tables")

    with pytest.raises(WarehouseError, match=r"PostgreSQL postgresql://127\.0\.0\.1:1/tables: ") as error:
        warehouse.rows(observations)

    shown = f"{error.value} {error.value.__cause__} {warehouse!r} {warehouse.location}"
    assert error.value.__suppress_context__
    assert not any(secret in shown for secret in (password, "s3c", "ret@", "s3c/ret"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3c#ret@127.0.0.1:1/tables",
        "postgresql://me:s3c?ret@127.0.0.1:1/tables",
        "postgresql://me:s3c/ret@127.0.0.1:1/tables",
        "postgresql:me:s3cret@127.0.0.1:1/tables",
        "postgresql+psycopg2://me:s3cret@127.0.0.1:1/tables",
    ],
)
def test_address_that_can_be_read_in_two_ways_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match="looks like|begins with") as error:
        Warehouse(url)
    assert "s3c" not in str(error.value)


def test_password_in_the_query_of_an_address_is_hidden(observations: Table) -> None:
    warehouse = Warehouse("postgresql://127.0.0.1:1/tables?password=s3cret&s3cret=1")
    with pytest.raises(WarehouseError) as error:
        warehouse.rows(observations)
    assert "s3cret" not in f"{error.value} {warehouse!r}"


def test_statement_that_the_server_refuses_is_an_error_and_nothing_is_stored(postgresql_url: str, observations: Table) -> None:
    warehouse = Warehouse(postgresql_url)

    def work(transaction: Transaction) -> None:
        transaction.write(observations, ROW)
        transaction.write(observations, pa.table({"id": ["nul \x00 byte"]}))

    with pytest.raises(WarehouseError, match="0x00"):
        warehouse.transact([observations], work)
    assert not warehouse.exists(observations)


def test_reads_of_one_block_see_one_state(postgresql_url: str, observations: Table) -> None:
    warehouse = Warehouse(postgresql_url)
    warehouse.write(observations, ROW)

    with warehouse.read() as reader:
        assert reader.rows(observations).num_rows == 1
        warehouse.write(observations, pa.table({"id": ["b"]}))
        assert reader.rows(observations).num_rows == 1
    assert warehouse.rows(observations).num_rows == 2


def test_aborted_transaction_is_tried_again_until_it_is_stored(
    postgresql_url: str, observations: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    warehouse, attempts = Warehouse(postgresql_url), []

    def work(transaction: Transaction, failures: int) -> int:
        attempts.append(transaction.write(observations, ROW).inserted)
        if len(attempts) <= failures:
            serialization_failure = "DO $$ BEGIN RAISE EXCEPTION 'given up' USING ERRCODE = '40001'; END $$"
            transaction._session.define(Statement(serialization_failure))
        return len(attempts)

    assert warehouse.transact([observations], lambda transaction: work(transaction, failures=2)) == 3
    assert (attempts, warehouse.rows(observations).num_rows) == ([1, 1, 1], 1)
    with pytest.raises(WarehouseError, match="given up"):
        warehouse.transact([observations], lambda transaction: work(transaction, failures=100))


def test_reading_a_partition_of_a_postgresql_table_uses_an_index_also_where_the_table_is_older(postgresql_url: str) -> None:
    table = Table("hours", "", (Column("hour", "timestamp", ""), Column("id", "string", "")), "hour", "merge", ("hour", "id"))
    with dbapi.connect(postgresql_url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE hours (hour timestamptz, id text)")
    warehouse = Warehouse(postgresql_url)
    for _ in range(2):
        warehouse.write(table, pa.table({"hour": [datetime(2024, 1, 1, tzinfo=UTC)], "id": ["a"]}))

    with dbapi.connect(postgresql_url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'hours' ORDER BY 1")
        indexes = [index.partition(" USING ")[2] for (index,) in cursor.fetchall()]
    assert sorted(indexes) == ["btree (hour)", "btree (hour, id)"]


def test_bigquery_lays_tables_out_by_day_and_key_and_is_asked_by_both() -> None:
    columns = (Column("hour", "timestamp", ""), Column("seen_at", "timestamp", ""), Column("id", "string", ""))
    table = Table("readings", "", columns, "hour", "merge", ("id",), day_column="seen_at")

    assert create_table(table, "bigquery").sql.endswith(" PARTITION BY TIMESTAMP_TRUNC(`seen_at`, DAY) CLUSTER BY `id`")
    assert "PARTITION" not in create_table(table, "postgres").sql + create_table(replace(table, day_column=""), "bigquery").sql
    hours = [datetime(2024, 2, 29, 23, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)]
    deletion = delete_rows(table, of_partitions(table, hours), "bigquery")
    assert deletion.sql.endswith("AND `seen_at` >= @seen_at_from AND `seen_at` < @seen_at_before")
    days = [deletion.parameters[name] for name in ("seen_at_from", "seen_at_before")]
    assert days == [datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC)]


def test_dataset_is_made_where_the_address_says_by_the_first_writer(bigquery_options: dict[str, Any], observations: Table) -> None:
    from google.cloud import bigquery

    name = f"made_{uuid.uuid4().hex}"
    warehouse = Warehouse(f"bigquery://test/{name}?location=europe-west1", [observations], **bigquery_options)
    with closing(bigquery.Client(project="test", **bigquery_options)) as client:
        assert warehouse.query("SELECT count(*) AS n FROM observations").to_pylist() == [{"n": 0}]
        assert name not in {dataset.dataset_id for dataset in client.list_datasets()}

        for _ in range(2):
            warehouse.write(observations, ROW)

        assert client.get_dataset(name).location == "europe-west1"
    assert Warehouse(f"bigquery://test/{name}", **bigquery_options).rows(observations).num_rows == 1
    elsewhere = Warehouse(f"bigquery://test/{name}?location=EU", **bigquery_options)
    for use in (lambda: elsewhere.rows(observations), lambda: elsewhere.write(observations, ROW)):
        with pytest.raises(WarehouseError, match=rf"bigquery://test/{name} is in europe-west1, and the address says location=EU"):
            use()


def test_drivers_are_imported_when_they_are_needed() -> None:
    program = "import sys; from mlops_assets.storage.warehouse import Warehouse; Warehouse('duckdb:///x'); print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ)
    ).stdout.split()
    assert {"duckdb", "pyarrow"} <= set(output)
    assert {"dagster", "pandas", "adbc_driver_postgresql", "google.cloud.bigquery"}.isdisjoint(output)
