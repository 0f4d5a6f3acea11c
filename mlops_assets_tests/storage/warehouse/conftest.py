"""Warehouses of every engine. BigQuery is its emulator, which needs an environment of its own: BQEMULATOR names its command."""

import os
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.domain import Column, Table
from mlops_assets.storage.warehouse import Warehouse

OBSERVATIONS = Table(
    name="observations",
    description="Every column type.",
    columns=(
        Column("id", "string", ""),
        Column("batch", "long", ""),
        Column("ratio", "double", ""),
        Column("flag", "boolean", ""),
        Column("day", "date", ""),
        Column("seen_at", "timestamp", ""),
        Column("price", "decimal", ""),
    ),
    partition_column="batch",
    mode="merge",
    keys=("id",),
)


@pytest.fixture
def observations() -> Table:
    """A table of every column type, merged by `id`, partitioned by `batch`."""
    return OBSERVATIONS


@pytest.fixture(params=["duckdb", "postgresql", "bigquery"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """An empty warehouse; queries may read `observations`."""
    if request.param == "bigquery":
        options = request.getfixturevalue("bigquery_options")
        return Warehouse(f"bigquery://test/{request.getfixturevalue('bigquery_dataset')}", [OBSERVATIONS], **options)
    if request.param == "postgresql":
        return Warehouse(request.getfixturevalue("postgresql_url"), [OBSERVATIONS])
    return Warehouse(f"duckdb:///{tmp_path / 'a folder' / 'warehouse.duckdb'}", [OBSERVATIONS])


@pytest.fixture(scope="session")
def bigquery_options() -> Iterator[dict[str, Any]]:
    """What BigQuery's client needs to talk to the emulator, which runs as long as the tests."""
    command = os.environ.get("BQEMULATOR")
    if not command:
        pytest.skip("the BigQuery emulator is not there: set BQEMULATOR to its command (docs/operating.md)")
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials

    port = _free_port()
    arguments = [command, "start", "--rest-port", str(port), "--grpc-port", str(_free_port()), "--project", "test", "--log-level", "error"]
    # Its DuckDB finds the extension it needs below its own environment.
    environment = {**os.environ, "HOME": str(Path(command).resolve().parent.parent)}
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as emulator:
        try:
            _wait_for(emulator, f"http://127.0.0.1:{port}/bigquery/v2/projects/test/datasets")
            yield {
                "credentials": AnonymousCredentials(),
                "client_options": ClientOptions(api_endpoint=f"http://127.0.0.1:{port}"),
            }
        finally:
            emulator.terminate()


@pytest.fixture
def bigquery_dataset(bigquery_options: dict[str, Any]) -> str:
    """The name of a new, empty dataset."""
    from google.cloud import bigquery

    name = f"test_{uuid.uuid4().hex}"
    client = bigquery.Client(project="test", **bigquery_options)
    client.create_dataset(name)
    client.close()
    return name


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(emulator: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + 60
    while emulator.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the BigQuery emulator does not answer; run {' '.join(map(str, emulator.args))} to see why")
