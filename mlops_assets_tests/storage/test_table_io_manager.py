"""Tables through real Dagster runs, in DuckDB and PostgreSQL: one partition or many, what is reported, lineage, what fails and how."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.domain import Column, Table
from mlops_assets.storage import table_io_manager
from mlops_assets.storage.io_managers import AS_PARTITIONS, AS_WINDOW, FrameIOManager
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.table_io_manager import TableIOManager, table_metadata
from mlops_assets.storage.warehouse import Warehouse
from mlops_assets.storage.warehouse_resource import WarehouseResource

BATCHES = ["01", "02", "03"]
BY_BATCH = dg.StaticPartitionsDefinition(BATCHES)
COMMON: dict[str, Any] = {"partitions_def": BY_BATCH, "backfill_policy": dg.BackfillPolicy.single_run()}
SAMPLES = Table(
    name="samples",
    description="Each sample once.",
    columns=(
        Column("id", "string", "Which sample."),
        Column("batch", "long", "The batch that first brought it."),
        Column("label", "long", "May be null."),
        Column("height", "double", "Metres."),
        Column("seen_at", "timestamp", "When."),
    ),
    partition_column="batch",
    mode="add",
    keys=("id",),
)
SEEN_AT = pd.Timestamp("2024-01-01T12:00:00.000001", tz="UTC")
Resources = dict[str, Any]


@pytest.fixture(params=["duckdb", "postgresql"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> WarehouseResource:
    """An empty warehouse."""
    if request.param == "duckdb":
        return WarehouseResource(url=f"duckdb:///{tmp_path / 'warehouse.duckdb'}")
    return WarehouseResource(url=request.getfixturevalue("postgresql_url"))


@pytest.fixture
def resources(warehouse: WarehouseResource, lake: LakeResource) -> Resources:
    """What assets need to store tables and frames."""
    return {"tables": TableIOManager(warehouse=warehouse), "frames": FrameIOManager(lake=lake)}


def batch_of(batch: str, ids: str = "ba", label: int = 1) -> pd.DataFrame:
    """Samples of a batch, not in order; one label and one height are missing."""
    labels = pd.array([label, *[None] * (len(ids) - 1)], dtype="Int64")
    return pd.DataFrame(
        {"id": list(ids), "batch": int(batch), "label": labels, "height": [None, *[0.5] * (len(ids) - 1)], "seen_at": SEEN_AT}
    )


def samples_asset(
    compute: Callable[[str], pd.DataFrame] = batch_of,
    table: Table | None = SAMPLES,
    partitions: list[str] | None = None,
    **partitioned: Any,
) -> dg.AssetsDefinition:
    """`domain/samples`, stored a batch at a time."""

    @dg.asset(key=["domain", "samples"], io_manager_key="tables", metadata=table_metadata(table) if table else {}, **COMMON)
    def samples(context: dg.AssetExecutionContext) -> Any:
        return Partitioned(partitions or list(context.partition_keys), compute, **partitioned)

    return samples


def downstream(read: Callable[[Any], Any], **asset_in: Any) -> dg.AssetsDefinition:
    """`domain/derived`, a frame made by `read` from `domain/samples`."""

    @dg.asset(
        key=["domain", "derived"], ins={"samples": dg.AssetIn(key=["domain", "samples"], **asset_in)}, io_manager_key="frames", **COMMON
    )
    def derived(samples: Any) -> Any:
        return read(samples)

    return derived


def run(assets: Sequence[dg.AssetsDefinition], resources: Resources, *batches: str, select: str = "") -> dg.ExecuteInProcessResult:
    """One run of one partition, or of a range; of all assets, or of one."""
    tags = dict(zip(("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), batches, strict=False))
    job = dg.Definitions(assets=assets, resources=resources).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        partition_key=None if len(batches) > 1 else batches[0],
        tags=tags if len(batches) > 1 else None,
        asset_selection=[dg.AssetKey(["domain", select])] if select else None,
        raise_on_error=False,
    )


def reported(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """Partition -> metadata values of the run's materializations."""
    events = result.asset_materializations_for_node("domain__samples")
    return {str(event.partition): {name: value.value for name, value in event.metadata.items()} for event in events}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """The messages of the failed step's error and its causes."""
    assert not result.success
    error, messages = result.get_step_failure_events()[0].step_failure_data.error, []
    while error:
        messages.append(error.message)
        error = error.cause
    return "\n".join(messages)


def ids(warehouse: WarehouseResource, batch: str | None = None) -> str:
    """The stored ids, in order."""
    return "".join(warehouse.warehouse.rows(SAMPLES, batch)["id"].to_pylist())


def test_partition_is_stored_and_reported(resources: Resources, warehouse: WarehouseResource) -> None:
    result = run([samples_asset()], resources, "02")

    stamp = warehouse.stamp("domain/samples", "02")
    (event,) = result.asset_materializations_for_node("domain__samples")
    assert event.tags["dagster/data_version"] == stamp.data_version
    assert reported(result)["02"] == {
        "dagster/row_count": 2,
        "dagster/table_name": "samples",
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(column.name, column.type, column.description) for column in SAMPLES.columns]
        ),
        "warehouse": warehouse.warehouse.location,
        "rows_inserted": 2,
        "rows_updated": 0,
        "rows_deleted": 0,
        "data_version": stamp.data_version,
    }
    assert ids(warehouse, "02") == "ab"


def test_range_adds_what_is_new_in_each_partition(resources: Resources, warehouse: WarehouseResource) -> None:
    brought = {"01": "ba", "02": "acc", "03": "ab"}

    reports = reported(run([samples_asset(lambda batch: batch_of(batch, brought[batch]))], resources, "01", "03"))

    assert {batch: (report["rows_inserted"], report["dagster/row_count"]) for batch, report in reports.items()} == {
        "01": (2, 2),
        "02": (1, 1),
        "03": (0, 0),
    }
    assert {batch: warehouse.stamp("domain/samples", batch).data_version for batch in BATCHES} == {
        batch: report["data_version"] for batch, report in reports.items()
    }
    assert (warehouse.partitions("domain/samples"), ids(warehouse)) == (BATCHES, "abc")


def test_loaded_partition_is_ordered_and_typed(resources: Resources) -> None:
    seen = []

    def read(samples: pd.DataFrame) -> pd.DataFrame:
        seen.append(samples)
        return samples

    assert run([samples_asset(), downstream(read)], resources, "01").success

    expected = pd.DataFrame(
        {
            "id": pd.array(["a", "b"], dtype=pd.StringDtype("pyarrow")),
            "batch": pd.array([1, 1], dtype="Int64"),
            "label": pd.array([None, 1], dtype="Int64"),
            "height": [0.5, float("nan")],
            "seen_at": pd.Series([SEEN_AT] * 2, dtype="datetime64[us, UTC]"),
        }
    )
    pd.testing.assert_frame_equal(seen[0], expected)


def test_several_partitions_are_loaded_one_at_a_time(resources: Resources) -> None:
    assert run([samples_asset(lambda batch: batch_of(batch, {"01": "a", "02": "b", "03": "c"}[batch]))], resources, "01", "03").success
    seen = []

    def read(samples: Any) -> Any:
        seen.extend((batch, list(samples[batch]["id"])) for batch in samples)
        return pd.DataFrame({"n": [1]})

    asset = downstream(read, metadata={AS_PARTITIONS: True}, partition_mapping=dg.StaticPartitionMapping(dict.fromkeys(BATCHES, "03")))
    assert run([samples_asset(), asset], resources, "03", select="derived").success
    assert seen == [("01", ["a"]), ("02", ["b"]), ("03", ["c"])]


BY_PARTITION = replace(SAMPLES, mode="replace", keys=())


def window_of(*batches: str, resources: Resources, seen: list[pd.DataFrame]) -> dg.ExecuteInProcessResult:
    """Derives batch 03 from a window of the samples, all batches, of which some are to be stored."""

    def read(samples: pd.DataFrame) -> pd.DataFrame:
        seen.append(samples)
        return pd.DataFrame({"n": [len(samples)]})

    every_batch = dg.StaticPartitionMapping(dict.fromkeys(BATCHES, "03"))
    brought = {"01": batch_of("01"), "02": batch_of("02").head(0), "03": batch_of("03", "b")}
    samples = samples_asset(brought.__getitem__, BY_PARTITION, partitions=list(batches))
    if batches:
        assert run([samples], resources, "01", "03").success
    return run([samples, downstream(read, metadata={AS_WINDOW: True}, partition_mapping=every_batch)], resources, "03", select="derived")


def test_window_is_one_frame_of_what_is_stored_and_names_each_partitions_version(
    resources: Resources, warehouse: WarehouseResource, lake: LakeResource
) -> None:
    seen: list[pd.DataFrame] = []

    assert window_of("01", "03", resources=resources, seen=seen).success

    assert list(zip(seen[0]["batch"], seen[0]["id"], strict=True)) == [(1, "a"), (1, "b"), (3, "b")]
    stamps = warehouse.stamps("domain/samples", BATCHES)
    assert lake.stamp("domain/derived", "03").lineage == {"domain/samples": {batch: stamps[batch].data_version for batch in ("01", "03")}}


def test_rows_that_no_stamp_vouches_for_are_in_no_window(resources: Resources, warehouse: WarehouseResource) -> None:
    seen: list[pd.DataFrame] = []
    warehouse.warehouse.write(BY_PARTITION, pa.table({"id": ["z"], "batch": [2]}), partition="02")

    assert window_of("01", "03", resources=resources, seen=seen).success

    assert list(seen[0]["id"]) == ["a", "b", "b"]


def test_partition_that_is_stored_without_rows_is_part_of_the_window(resources: Resources, lake: LakeResource) -> None:
    seen: list[pd.DataFrame] = []

    assert window_of("02", resources=resources, seen=seen).success

    assert (len(seen[0]), list(lake.stamp("domain/derived", "03").lineage["domain/samples"])) == (0, ["02"])


def test_window_of_which_nothing_is_stored_fails_and_names_all_of_it(resources: Resources) -> None:
    result = window_of(resources=resources, seen=[])

    failure = result.get_step_failure_events()[0].step_failure_data.user_failure_data
    assert failure.description.startswith("domain/samples is not stored for 01, 02, 03. Materialize it first")


def test_same_rows_again_change_nothing_and_have_the_same_version(resources: Resources, warehouse: WarehouseResource) -> None:
    first = reported(run([samples_asset()], resources, "01"))["01"]
    again = reported(run([samples_asset(lambda batch: batch_of(batch, "ab", label=2))], resources, "01"))["01"]
    more = reported(run([samples_asset(lambda batch: batch_of(batch, "bca"))], resources, "01"))["01"]

    assert again == {**first, "rows_inserted": 0}
    assert (more["rows_inserted"], more["dagster/row_count"], ids(warehouse)) == (1, 3, "abc")
    assert more["data_version"] != first["data_version"]


def test_failing_partition_and_those_after_it_stay_as_they_were(resources: Resources, warehouse: WarehouseResource) -> None:
    assert run([samples_asset(lambda batch: batch_of(batch, {"01": "a", "02": "b", "03": "c"}[batch]))], resources, "01", "03").success
    before = {batch: warehouse.stamp("domain/samples", batch) for batch in BATCHES}

    def compute(batch: str) -> pd.DataFrame:
        frame = batch_of(batch, {"01": "x", "02": "y", "03": "z"}[batch])
        return frame.assign(height="high") if batch == "02" else frame

    result = run([samples_asset(compute)], resources, "01", "03")

    assert "samples.height is a double, not large_string, such as 'high'" in failure_of(result)
    assert ids(warehouse) == "abcx"
    changed = {batch for batch in BATCHES if warehouse.stamp("domain/samples", batch) != before[batch]}
    assert changed == {"01"}


def test_partition_that_cannot_be_computed_does_not_take_those_before_it_along(resources: Resources, warehouse: WarehouseResource) -> None:
    def compute(batch: str) -> pd.DataFrame:
        if batch == "02":
            raise ValueError("an unusable answer")
        return batch_of(batch, {"01": "a", "03": "c"}[batch])

    assert "an unusable answer" in failure_of(run([samples_asset(compute)], resources, "01", "03"))
    assert (warehouse.partitions("domain/samples"), ids(warehouse)) == (["01"], "a")


def test_partition_that_the_engine_refuses_does_not_take_those_before_it_along(postgresql_url: str) -> None:
    warehouse = WarehouseResource(url=postgresql_url)
    brought = {"01": "a", "02": "\x00", "03": "c"}

    result = run(
        [samples_asset(lambda batch: batch_of(batch, brought[batch]))], {"tables": TableIOManager(warehouse=warehouse)}, "01", "03"
    )

    assert "0x00" in failure_of(result)
    assert (warehouse.partitions("domain/samples"), ids(warehouse)) == (["01"], "a")


@pytest.mark.parametrize(("enough_rows", "transactions"), [(20_000, 1), (4, 2)], ids=["small", "large"])
def test_small_partitions_are_written_together(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, enough_rows: int, transactions: int
) -> None:
    written = []
    transact = Warehouse.transact
    monkeypatch.setattr(Warehouse, "transact", lambda *arguments: written.append(arguments) or transact(*arguments))
    monkeypatch.setattr(table_io_manager, "ENOUGH_ROWS", enough_rows)

    assert run([samples_asset()], resources, "01", "03").success

    assert len(written) == transactions


def test_rows_of_another_partition_fail_the_step(resources: Resources, warehouse: WarehouseResource) -> None:
    result = run([samples_asset(lambda _: batch_of("02"))], resources, "01")

    assert "samples.batch is 2 in 2 of 2 rows of partition 01" in failure_of(result)
    assert (warehouse.partitions("domain/samples"), ids(warehouse)) == ([], "")


def test_unchanged_partitions_stay_and_are_reported_all_the_same(resources: Resources, warehouse: WarehouseResource) -> None:
    first = reported(run([samples_asset()], resources, "01"))["01"]

    def compute(batch: str) -> pd.DataFrame:
        raise AssertionError(batch)

    kept = reported(run([samples_asset(compute, unchanged=lambda _: True)], resources, "01"))["01"]
    assert kept == {name: value for name, value in first.items() if not name.startswith("rows_")}


def test_stamp_has_what_the_producer_says_and_readers_inherit_the_lineage(resources: Resources, lake: LakeResource) -> None:
    @dg.asset(key=["domain", "raw"], io_manager_key="frames", **COMMON)
    def raw() -> Any:
        return pd.DataFrame({"x": [1]})

    @dg.asset(
        key=["domain", "samples"],
        ins={"raw": dg.AssetIn(["domain", "raw"], metadata={AS_PARTITIONS: True})},
        io_manager_key="tables",
        metadata=table_metadata(SAMPLES),
        **COMMON,
    )
    def samples(context: dg.AssetExecutionContext, raw: Any) -> Any:
        def compute(batch: str) -> pd.DataFrame:
            assert len(raw[batch]) == 1
            return batch_of(batch)

        return Partitioned(list(context.partition_keys), compute, note=lambda batch: {"answers": [batch]}, code="digest")

    assert run([raw, samples, downstream(lambda frame: frame)], resources, "01").success

    stamp = resources["tables"].warehouse.stamp("domain/samples", "01")
    raw_version = {"domain/raw": {"01": lake.stamp("domain/raw", "01").data_version}}
    assert (stamp.code, stamp.note, stamp.lineage) == ("digest", {"answers": ["01"]}, raw_version)
    assert lake.stamp("domain/derived", "01").lineage == {**raw_version, "domain/samples": {"01": stamp.data_version}}


def test_row_changed_behind_the_platforms_back_is_another_version_to_readers(
    resources: Resources, warehouse: WarehouseResource, lake: LakeResource
) -> None:
    assert run([samples_asset()], resources, "01").success
    warehouse.warehouse.write(SAMPLES, pa.table({"id": ["z"], "batch": [1]}))

    assert run([samples_asset(), downstream(lambda frame: frame)], resources, "01", select="derived").success

    read = lake.stamp("domain/derived", "01").lineage["domain/samples"]["01"]
    assert read != warehouse.stamp("domain/samples", "01").data_version


def test_missing_upstream_partition_is_named_with_the_command(resources: Resources) -> None:
    assert run([samples_asset()], resources, "01").success

    result = run([samples_asset(), downstream(lambda frame: frame)], resources, "02", select="derived")

    failure = result.get_step_failure_events()[0].step_failure_data.user_failure_data
    assert failure.description == (
        "domain/samples is not stored for 02. Materialize it first: dg launch --assets '+key:\"domain/samples\"' --partition 02"
    )


def test_asset_that_names_no_table_is_refused(resources: Resources) -> None:
    assert "domain/samples is stored as a table, but its definition metadata" in failure_of(
        run([samples_asset(table=None)], resources, "01")
    )


def test_address_comes_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", "postgresql://me:s3cret@db/tables")
    resource = WarehouseResource()
    assert resource.warehouse.location == "postgresql://db/tables"
    assert "s3cret" not in f"{resource!r} {resource.warehouse!r}"
