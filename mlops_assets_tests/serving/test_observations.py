"""The sample of stored observations: from the warehouse and from the lake, bounded, with a reason when there is none."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.domain import TabularDomain
from mlops_assets.serving.observations import SAMPLED_PARTITIONS, NothingStoredError, Observations
from mlops_assets.settings import Settings
from mlops_assets.storage import parquet
from mlops_assets.storage.lake import Lake
from mlops_assets.storage.stamp import Stamp
from mlops_assets.storage.warehouse import Warehouse, arrow_schema


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Local state in a folder of the test's own."""
    return Settings(_env_file=None, mlops_home=tmp_path / "home")


@pytest.fixture
def observations(settings: Settings) -> Observations:
    """What is to be tested."""
    return Observations(settings)


def store_plants(settings: Settings, domain: TabularDomain, batch: int, count: int) -> None:
    """Plants of one batch, the first without height."""
    table = domain.table("plants")
    rows = [
        {
            "id": f"{batch}-{number}",
            "height": None if number == 0 else number / 2,
            "batch": batch,
            "seen_at": datetime(2020, 1, batch, tzinfo=UTC),
        }
        for number in range(count)
    ]
    Warehouse(settings.warehouse_url.get_secret_value(), [table]).write(table, pa.Table.from_pylist(rows, arrow_schema(table)))


def store_loans(settings: Settings, partition: str, amounts: list[float]) -> None:
    """An enriched partition."""
    frame = pd.DataFrame(
        {"amount": amounts, "at": pd.Timestamp("2020-01-02 03:04:05"), "is_new": pd.array([None] * len(amounts), "boolean")}
    )
    data = parquet.encode(parquet.to_table(frame), Stamp("v"))
    Lake(settings.lake_uri).write(f"loans/enriched/{partition}.parquet", data)


def test_rows_come_from_the_warehouse_with_the_size_of_every_partition(
    settings: Settings, observations: Observations, systems: dict[str, TabularDomain]
) -> None:
    store_plants(settings, systems["flowers"], 1, 3)
    store_plants(settings, systems["flowers"], 2, 50)

    found = observations.sample(systems["flowers"], 1000)

    assert (found.rows, found.partitions) == (53, {"01": 3, "02": 50})
    rows = {identifier: place for place, identifier in enumerate(found.columns["id"])}
    assert len(rows) == 53
    assert found.columns["height"][rows["1-0"]] is None
    assert found.columns["height"][rows["2-3"]] == 1.5
    assert found.columns["seen_at"][rows["2-3"]] == "2020-01-02T00:00:00+00:00"


def test_a_sample_is_bounded_and_drawn_from_all_rows(
    settings: Settings, observations: Observations, systems: dict[str, TabularDomain]
) -> None:
    store_plants(settings, systems["flowers"], 1, 500)

    samples = [observations.sample(systems["flowers"], 20) for _ in range(5)]

    assert {sample.rows for sample in samples} == {20}
    assert len({identifier for sample in samples for identifier in sample.columns["id"]}) > 20
    with pytest.raises(ValueError, match="1 to 10000 rows can be had, not 10001"):
        observations.sample(systems["flowers"], 10_001)


def test_rows_of_the_newest_partitions_come_from_the_lake(
    settings: Settings, observations: Observations, systems: dict[str, TabularDomain]
) -> None:
    store_loans(settings, "00", [1.0])
    for number in range(1, SAMPLED_PARTITIONS):
        store_loans(settings, f"{number:02d}", [2.0])
    store_loans(settings, "12", [5.0, np.nan, 7.0])
    (Path(settings.lake_uri) / "loans/enriched/.13.parquet.1.tmp").write_bytes(b"half")

    found = observations.sample(systems["loans"], 100)

    assert found.partitions == {**{f"{number:02d}": 1 for number in range(1, SAMPLED_PARTITIONS)}, "12": 3}
    assert found.columns["amount"] == [*[2.0] * (SAMPLED_PARTITIONS - 1), 5.0, None, 7.0]
    assert set(found.columns["at"]) == {"2020-01-02T03:04:05"}
    assert set(found.columns["is_new"]) == {None}
    assert observations.sample(systems["loans"], 2).rows == 2


@pytest.mark.parametrize(
    ("name", "message"), [("flowers", "table plants is empty: ingest flowers first"), ("loans", "loans/enriched has no")]
)
def test_nothing_stored_says_so(observations: Observations, systems: dict[str, TabularDomain], name: str, message: str) -> None:
    with pytest.raises(NothingStoredError, match=message):
        observations.sample(systems[name], 10)


def test_data_are_served_or_the_reason_why_not(serve: Callable[..., Any], systems: dict[str, TabularDomain], tmp_path: Path) -> None:
    api = serve()
    settings = Settings(_env_file=None, mlops_home=tmp_path / "home")

    missing = api.get("/models/flowers/data")
    store_plants(settings, systems["flowers"], 1, 30)
    store_loans(settings, "01", [1.0])
    (Path(settings.lake_uri) / "loans/enriched/01.parquet").write_bytes(b"no parquet")

    assert (missing.status_code, missing.json()["detail"]) == (503, "table plants is empty: ingest flowers first")
    found = api.get("/models/flowers/data?rows=7").json()
    assert (found["rows"], found["partitions"], len(found["columns"]["id"])) == (7, {"01": 30}, 7)
    damaged = api.get("/models/loans/data")
    assert damaged.status_code == 503
    assert "what loans has stored cannot be read" in damaged.json()["detail"]
    for rows in ("0", "10001", "many"):
        assert api.get(f"/models/flowers/data?rows={rows}").status_code == 422
