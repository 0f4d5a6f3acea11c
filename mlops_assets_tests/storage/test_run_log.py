"""Lineage as real runs observe it, and runs that notice one another."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.scale import FrameScaler
from mlops_assets.storage import parquet
from mlops_assets.storage.io_managers import AS_PARTITIONS
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.run_log import ReplacedMidRunError, RunLog, observed_lineage
from mlops_assets.storage.stamp import Lineage, Stamp

MONTHS = ["2024-01", "2024-02", "2024-03"]
ONE, TWO, THREE = MONTHS
MONTHLY = dg.MonthlyPartitionsDefinition(start_date=ONE, end_date="2024-04", fmt="%Y-%m")
WINDOW = dg.TimeWindowPartitionMapping(start_offset=-1, allow_nonexistent_upstream_partitions=True)
COMMON: dict[str, Any] = {"partitions_def": MONTHLY, "backfill_policy": dg.BackfillPolicy.single_run()}
SAME = dg.AssetIn(metadata={AS_PARTITIONS: True})
Resources = dict[str, Any]


def frame_of(value: object) -> pd.DataFrame:
    return pd.DataFrame({"value": pd.Series([str(value)], dtype=parquet.TEXT)})


def asset(name: str, compute: Callable[..., Any], *upstream: str, io_manager: str = "frames") -> dg.AssetsDefinition:
    """An asset that computes each partition by itself from the same partition of others."""

    @dg.asset(name=name, ins=dict.fromkeys(upstream, SAME), io_manager_key=io_manager, **COMMON)
    def compute_partitions(context: dg.AssetExecutionContext, **inputs: Any) -> Any:
        return Partitioned(list(context.partition_keys), lambda month: compute(month, *(inputs[one][month] for one in upstream)))

    return compute_partitions


def run(assets: list[dg.AssetsDefinition], resources: Resources, first: str, last: str, only: list[str] | None = None) -> Any:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return dg.materialize(assets, resources=resources, tags=tags, selection=only, raise_on_error=False)


def versions(lake: LakeResource, asset: str, *months: str) -> dict[str, str]:
    return {month: stamp.data_version for month in months if (stamp := lake.stamp(asset, month))}


def lineage(lake: LakeResource, asset: str, month: str) -> Lineage:
    stamp = lake.stamp(asset, month)
    assert stamp is not None
    return stamp.lineage


def test_lineage_reaches_back_to_the_raw_partitions_through_frames_and_artifacts(resources: Resources, lake: LakeResource) -> None:
    @dg.asset(ins={"enriched": dg.AssetIn(partition_mapping=WINDOW, metadata={AS_PARTITIONS: True})}, io_manager_key="frames", **COMMON)
    def window(context: dg.AssetExecutionContext, enriched: Any) -> Any:
        return Partitioned(list(context.partition_keys), lambda _: pd.concat(list(enriched.values()), ignore_index=True))

    assets = [
        asset("crimes", lambda month: frame_of(month)),
        asset("stations", lambda month: pd.DataFrame({"x": [float(month[-1]), 0.0]})),
        asset("scaler", lambda _, stations: FrameScaler(["x"]).fit(stations), "stations", io_manager="artifacts"),
        asset("enriched", lambda _, crimes, scaler: crimes.assign(x=scaler.scaler.mean_[0]), "crimes", "scaler"),
    ]
    assert run(assets, resources, ONE, THREE).success
    assert run([*assets, window], resources, TWO, TWO, only=["window"]).success

    for month in MONTHS:
        upstream = {name: versions(lake, name, month) for name in ("crimes", "scaler", "stations")}
        assert lineage(lake, "enriched", month) == upstream
        assert lineage(lake, "scaler", month) == {"stations": versions(lake, "stations", month)}
        assert lineage(lake, "crimes", month) == {}
    assert lineage(lake, "window", TWO) == {name: versions(lake, name, ONE, TWO) for name in ("crimes", "enriched", "scaler", "stations")}


def test_reads_of_the_body_belong_to_every_partition_and_to_every_output(resources: Resources, lake: LakeResource) -> None:
    @dg.multi_asset(
        ins={"reference": SAME, "raw": SAME},
        outs={name: dg.AssetOut(io_manager_key="frames") for name in ("train", "test")},
        partitions_def=MONTHLY,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def split(context: dg.AssetExecutionContext, reference: Any, raw: Any) -> tuple[Any, Any]:
        reference[ONE]
        parts = Partitioned(list(context.partition_keys), lambda month: raw[month])
        return parts, parts

    assets = [asset("reference", lambda month: frame_of(f"reference {month}")), asset("raw", frame_of), split]
    assert run(assets, resources, ONE, TWO).success

    for output in ("train", "test"):
        for month in (ONE, TWO):
            expected = {"raw": versions(lake, "raw", month), "reference": versions(lake, "reference", ONE)}
            assert lineage(lake, output, month) == expected


def test_both_versions_of_a_partition_are_named_where_both_were_read(resources: Resources, lake: LakeResource) -> None:
    contents = iter(["first", "second"])
    raw = asset("raw", lambda _: frame_of(next(contents)))
    early = asset("early", lambda _, raw: raw.assign(by="early"), "raw")
    late = asset("late", lambda _, raw: raw.assign(by="late"), "raw")
    both = asset("both", lambda _, early, late: pd.concat([early, late], ignore_index=True), "early", "late")

    assert run([raw, early], resources, ONE, ONE).success
    first = versions(lake, "raw", ONE)[ONE]
    assert run([raw, late], resources, ONE, ONE).success
    second = versions(lake, "raw", ONE)[ONE]
    assert run([raw, early, late, both], resources, ONE, ONE, only=["both"]).success

    assert first != second
    assert lineage(lake, "both", ONE)["raw"] == {ONE: "+".join(sorted([first, second]))}


def test_observed_lineage_is_what_the_body_has_loaded(resources: Resources, lake: LakeResource) -> None:
    seen = []

    @dg.asset(io_manager_key="frames", **COMMON)
    def model(context: dg.AssetExecutionContext, enriched: pd.DataFrame) -> pd.DataFrame:
        seen.append(observed_lineage(context))
        return enriched

    assets = [asset("raw", frame_of), asset("enriched", lambda _, raw: raw.assign(more=1), "raw"), model]
    assert run(assets, resources, ONE, ONE).success

    assert seen == [{"enriched": versions(lake, "enriched", ONE), "raw": versions(lake, "raw", ONE)}]
    assert lineage(lake, "model", ONE) == seen[0]


def test_retried_step_inherits_nothing_from_the_failed_attempt(resources: Resources, lake: LakeResource) -> None:
    @dg.asset(io_manager_key="frames", retry_policy=dg.RetryPolicy(max_retries=1), **COMMON)
    def unsteady(context: dg.AssetExecutionContext, raw: pd.DataFrame) -> pd.DataFrame:
        if context.op_execution_context.retry_number == 0:
            table = parquet.to_table(frame_of("second"))
            lake.lake.write(f"raw/{ONE}.parquet", parquet.encode(table, Stamp(parquet.data_version(table))))
            raise ConnectionError("for once")
        return raw

    assets = [asset("raw", lambda _: frame_of("first")), unsteady]
    assert run([assets[0]], resources, ONE, ONE).success
    assert run(assets, resources, ONE, ONE, only=["unsteady"]).success

    assert lineage(lake, "unsteady", ONE) == {"raw": versions(lake, "raw", ONE)}


def test_run_whose_data_another_run_replaces_stops_and_says_so(resources: Resources, lake: LakeResource) -> None:
    @dg.asset(io_manager_key="frames", deps=["raw"], **COMMON)
    def slow() -> pd.DataFrame:
        assert run([asset("raw", lambda _: frame_of("the other run's"))], resources, ONE, ONE).success
        return frame_of("slow")

    late = asset("late", lambda _, *frames: pd.concat(frames, ignore_index=True), "raw", "slow")
    result = run([asset("raw", lambda _: frame_of("this run's")), slow, late], resources, ONE, ONE)

    (event,) = result.get_step_failure_events()
    assert event.step_key == "late"
    error = event.step_failure_data.error
    while error.cause:
        error = error.cause
    assert error.cls_name == ReplacedMidRunError.__name__
    assert f"raw/{ONE}.parquet was replaced by another run while run {result.run_id} was going" in error.message
    assert lake.partitions("late") == []


def test_run_may_read_what_other_runs_replaced_if_it_did_not_write_it(resources: Resources) -> None:
    assets = [asset("raw", lambda _: frame_of(np.random.default_rng().random())), asset("enriched", lambda _, raw: raw, "raw")]

    for _ in range(2):
        assert run(assets[:1], resources, ONE, ONE).success
        assert run(assets, resources, ONE, ONE, only=["enriched"]).success


def test_log_requires_its_own_content_only() -> None:
    log = RunLog("a-run")
    log.wrote("raw/1", "v1")

    log.require_own("raw/1", "v1")
    log.require_own("raw/2", "anything")
    with pytest.raises(ReplacedMidRunError, match="written v1, found v2"):
        log.require_own("raw/1", "v2")


def test_reads_of_a_partition_are_forgotten_even_if_it_fails() -> None:
    log = RunLog("a-run")
    log.read("step#0", {"reference": {"all": "r"}})

    with pytest.raises(ValueError, match="unusable"), log.partition_of("step#0"):
        log.read("step#0", {"raw": {ONE: "v1"}})
        assert log.lineage("step#0") == {"raw": {ONE: "v1"}, "reference": {"all": "r"}}
        raise ValueError("unusable")

    assert log.lineage("step#0") == {"reference": {"all": "r"}}
    assert log.lineage("step#1") == {}
