"""Several processes at one warehouse: killed while they write, writing at once, read while they write, restarted servers."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from mlops_assets.domain import Column, Table
from mlops_assets.storage.warehouse import Transaction, Warehouse

if TYPE_CHECKING:
    from pgserver import PostgresServer

WRITER = Path(__file__).with_name("writer.py")
ROWS, SHARED = 400, 50
OBSERVATIONS = Table("observations", "", (Column("id", "string", ""), Column("batch", "long", "")), "batch", "add", ("id",))
LEDGER = Table("ledger", "", (Column("batch", "long", ""), Column("row_count", "long", "")), "batch", "merge", ("batch",))
STATE = """
    SELECT batch, l.row_count AS told, count(o.id) AS found, count(DISTINCT o.id) AS different
    FROM (SELECT DISTINCT batch FROM observations UNION SELECT batch FROM ledger) AS b
    LEFT JOIN ledger AS l USING (batch) LEFT JOIN observations AS o USING (batch)
    WHERE batch >= 0 GROUP BY batch, l.row_count ORDER BY batch
"""


@pytest.fixture(params=["duckdb", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty warehouse."""
    if request.param == "duckdb":
        return f"duckdb:///{tmp_path / 'warehouse.duckdb'}"
    return str(request.getfixturevalue("postgresql_url"))


@contextmanager
def writer(url: str, first: int, count: int) -> Iterator["subprocess.Popen[str]"]:
    """A writing process that does not outlive the block."""
    with subprocess.Popen([sys.executable, WRITER, url, str(first), str(count)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def whole_transactions(warehouse: Warehouse) -> list[int]:
    """The numbers of the stored transactions, each of which must be there with all it wrote; what several brought is there once."""
    with warehouse.read() as reader:
        state = reader.query(STATE).to_pylist()
        shared = reader.rows(OBSERVATIONS, "-1")["id"].to_pylist()
    assert len(shared) == len(set(shared)) == (SHARED if state else 0)
    assert [row for row in state if not row["told"] == row["found"] == row["different"] == ROWS] == []
    return [row["batch"] for row in state]


def test_killed_writers_leave_whole_transactions_and_no_lock(url: str) -> None:
    warehouse, acknowledged = Warehouse(url, [OBSERVATIONS, LEDGER]), []

    for attempt in range(4):
        with writer(url, first=1000 * attempt, count=1000) as process:
            for _ in range(attempt + 1):
                acknowledged.append(int(process.stdout.readline()))
            process.kill()  # in the middle of the next transaction, which begins at once
            acknowledged += [int(line) for line in process.stdout]
        stored = whole_transactions(warehouse)
        assert set(acknowledged) <= set(stored)
        assert len(stored) <= len(acknowledged) + attempt + 1  # one of each killed writer may be stored, but not acknowledged any more


def test_two_writers_and_readers_at_once(url: str) -> None:
    warehouse, seen = Warehouse(url, [OBSERVATIONS, LEDGER]), [0]
    assert whole_transactions(warehouse) == []

    with writer(url, first=0, count=15) as one, writer(url, first=100, count=15) as other:
        while one.poll() is None or other.poll() is None:
            seen.append(len(whole_transactions(warehouse)))
            assert seen[-1] >= seen[-2]
        assert (one.returncode, other.returncode) == (0, 0)

    assert whole_transactions(warehouse) == [*range(15), *range(100, 115)]
    assert len(set(seen)) > 2  # it has read while they wrote


def test_writer_waits_for_the_one_before_it_and_adds_nothing_twice(url: str) -> None:
    warehouse, inserted = Warehouse(url), []
    rows = pa.table({"id": ["a"], "batch": [1]})
    warehouse.write(OBSERVATIONS, rows.slice(0, 0))
    later = threading.Thread(target=lambda: inserted.append(warehouse.write(OBSERVATIONS, rows).inserted))

    def work(transaction: Transaction) -> None:
        inserted.append(transaction.write(OBSERVATIONS, rows).inserted)
        later.start()
        later.join(timeout=0.5)  # it cannot end before this transaction does

    warehouse.transact([OBSERVATIONS], work)
    later.join()
    assert inserted == [1, 0]


def test_server_may_restart_between_calls(postgresql_server: "PostgresServer", postgresql_url: str) -> None:
    from pgserver import pg_ctl

    warehouse = Warehouse(postgresql_url, [OBSERVATIONS, LEDGER])
    with writer(postgresql_url, 0, 1) as process:
        assert process.wait() == 0

    pg_ctl(["-w", "-m", "fast", "restart"], pgdata=postgresql_server.pgdata, user=postgresql_server.system_user)

    assert whole_transactions(warehouse) == [0]
