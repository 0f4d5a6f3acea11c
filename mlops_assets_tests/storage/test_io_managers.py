"""Storing and loading through real Dagster runs: one partition or many, what is reported, what fails and how."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.scale import FrameScaler
from mlops_assets.storage import io_managers
from mlops_assets.storage.io_managers import AS_PARTITIONS, AS_WINDOW, ArtifactIOManager, FrameIOManager
from mlops_assets.storage.parquet import decode
from mlops_assets.storage.partitioned import GAPS_ALLOWED, Partitioned
from mlops_assets.storage.resource import LakeResource

MONTHS = ["2024-01", "2024-02", "2024-03", "2024-04"]
MONTHLY = dg.MonthlyPartitionsDefinition(start_date="2024-01", end_date="2024-05", fmt="%Y-%m")
WINDOW = dg.TimeWindowPartitionMapping(start_offset=-2, allow_nonexistent_upstream_partitions=True)
Resources = dict[str, Any]


def run(assets: list[dg.AssetsDefinition], resources: Resources, first: str, last: str | None = None) -> dg.ExecuteInProcessResult:
    """One run of one partition, or of a range."""
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if last else None
    return dg.materialize(assets, resources=resources, partition_key=None if last else first, tags=tags, raise_on_error=False)


def frame_of(month: str, version: int = 1) -> pd.DataFrame:
    """As many rows as the month's number."""
    return pd.DataFrame({"month": pd.Series([month] * int(month[-2:]), dtype="string[pyarrow]"), "value": float(version)})


def partitioned_asset(metadata: dict[str, Any] | None = None, **partitioned: Any) -> dg.AssetsDefinition:
    """`domain/raw`, stored a month at a time."""
    common: dict[str, Any] = {"partitions_def": MONTHLY, "backfill_policy": dg.BackfillPolicy.single_run(), "metadata": metadata}

    @dg.asset(key=["domain", "raw"], io_manager_key="frames", **common)
    def raw(context: dg.AssetExecutionContext) -> Any:
        return Partitioned(**{"partitions": list(context.partition_keys), "compute": frame_of, **partitioned})

    return raw


def downstream(read: Callable[[Any], Any], **asset_in: Any) -> dg.AssetsDefinition:
    """`domain/derived`, made by `read` from `domain/raw`."""

    @dg.asset(
        key=["domain", "derived"],
        ins={"raw": dg.AssetIn(key=["domain", "raw"], **asset_in)},
        partitions_def=MONTHLY,
        io_manager_key="frames",
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def derived(raw: Any) -> Any:
        return read(raw)

    return derived


def reported(result: dg.ExecuteInProcessResult, node: str = "domain__raw") -> dict[str, dict[str, Any]]:
    """Partition -> metadata values of the run's materializations."""
    events = result.asset_materializations_for_node(node)
    return {str(event.partition): {name: value.value for name, value in event.metadata.items()} for event in events}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """The messages of the failed step's error and its causes."""
    assert not result.success
    error = result.get_step_failure_events()[0].step_failure_data.error
    messages = []
    while error:
        messages.append(error.message)
        error = error.cause
    return "\n".join(messages)


def test_partition_is_stored_and_reported(lake_uri: str) -> None:
    lake = LakeResource(uri=lake_uri)

    result = run([partitioned_asset()], {"frames": FrameIOManager(lake=lake)}, "2024-03")

    assert result.success
    frame, stamp = decode(lake.lake.read("domain/raw/2024-03.parquet"))
    pd.testing.assert_frame_equal(frame, frame_of("2024-03"))
    (event,) = result.asset_materializations_for_node("domain__raw")
    assert event.tags["dagster/data_version"] == stamp.data_version
    columns = [dg.TableColumn("month", "large_string"), dg.TableColumn("value", "double")]
    assert reported(result) == {
        "2024-03": {
            "dagster/row_count": 3,
            "dagster/column_schema": dg.TableSchema(columns),
            "bytes": lake.lake.size("domain/raw/2024-03.parquet"),
            "uri": f"{lake_uri}/domain/raw/2024-03.parquet",
            "data_version": stamp.data_version,
        }
    }


def test_artifact_is_stored_and_loaded(lake_uri: str) -> None:
    lake = LakeResource(uri=lake_uri)
    resources = {"frames": FrameIOManager(lake=lake), "artifacts": ArtifactIOManager(lake=lake)}
    raw_in, single_run = dg.AssetIn(key=["domain", "raw"]), dg.BackfillPolicy.single_run()
    common: dict[str, Any] = {"ins": {"raw": raw_in}, "partitions_def": MONTHLY, "backfill_policy": single_run}

    @dg.asset(io_manager_key="artifacts", **common)
    def scaler(raw: pd.DataFrame) -> FrameScaler:
        return FrameScaler(["value"]).fit(raw)

    @dg.asset(io_manager_key="frames", **common)
    def scaled(raw: pd.DataFrame, scaler: FrameScaler) -> pd.DataFrame:
        return scaler.transform(raw)

    result = run([partitioned_asset(), scaler, scaled], resources, "2024-02")

    assert result.success
    np.testing.assert_array_equal(decode(lake.lake.read("scaled/2024-02.parquet"))[0]["value"], [0.0, 0.0])
    stamp = lake.stamp("scaler", "2024-02")
    (event,) = result.asset_materializations_for_node("scaler")
    assert event.tags["dagster/data_version"] == stamp.data_version
    assert reported(result, "scaler")["2024-02"]["bytes"] == lake.lake.size("scaler/2024-02.skops")


def test_range_is_computed_and_stored_one_partition_at_a_time(resources: Resources, lake: LakeResource) -> None:
    made: list[weakref.ref[pd.DataFrame]] = []
    steps: list[tuple[str, int, list[str]]] = []

    def compute(month: str) -> pd.DataFrame:
        alive = sum(reference() is not None for reference in made)
        steps.append((month, alive, lake.partitions("domain/raw")))
        frame = frame_of(month)
        made.append(weakref.ref(frame))
        return frame

    result = run([partitioned_asset(compute=compute)], resources, MONTHS[0], MONTHS[-1])

    assert result.success
    assert steps == [(month, 0, MONTHS[:number]) for number, month in enumerate(MONTHS)]


def test_range_reports_each_partition_by_itself(resources: Resources, lake: LakeResource) -> None:
    reports = reported(run([partitioned_asset()], resources, MONTHS[0], MONTHS[-1]))

    assert {month: report["dagster/row_count"] for month, report in reports.items()} == dict(zip(MONTHS, (1, 2, 3, 4), strict=True))
    for month, report in reports.items():
        assert report["data_version"] == lake.stamp("domain/raw", month).data_version
        assert report["bytes"] == lake.lake.size(f"domain/raw/{month}.parquet")
        assert report["uri"].endswith(f"domain/raw/{month}.parquet")
    assert len({report["data_version"] for report in reports.values()}) == len(MONTHS)


def test_unchanged_partitions_stay_and_are_reported_all_the_same(resources: Resources, lake: LakeResource, tmp_path: Path) -> None:
    first = reported(run([partitioned_asset()], resources, MONTHS[0], MONTHS[-1]))
    paths = {month: tmp_path / "lake" / "domain" / "raw" / f"{month}.parquet" for month in MONTHS}
    before = {month: (path.stat().st_ino, path.stat().st_mtime_ns) for month, path in paths.items()}
    computed = []

    def compute(month: str) -> pd.DataFrame:
        computed.append(month)
        return frame_of(month, version=2)

    changing = partitioned_asset(compute=compute, unchanged=lambda month: month != "2024-02")
    second = reported(run([changing], resources, MONTHS[0], MONTHS[-1]))

    assert computed == ["2024-02"]
    assert {month for month in MONTHS if (paths[month].stat().st_ino, paths[month].stat().st_mtime_ns) != before[month]} == {"2024-02"}
    assert {month for month in MONTHS if second[month] != first[month]} == {"2024-02"}
    assert lake.stamp("domain/raw", "2024-02").data_version == second["2024-02"]["data_version"] != first["2024-02"]["data_version"]


def test_failing_partition_and_those_after_it_stay_as_they_were(resources: Resources, lake: LakeResource) -> None:
    assert run([partitioned_asset()], resources, MONTHS[0], "2024-03").success
    keys = [f"domain/raw/{month}.parquet" for month in MONTHS[:3]]
    before = [lake.lake.read(key) for key in keys]

    def compute(month: str) -> pd.DataFrame:
        if month == "2024-02":
            raise ValueError("an unusable answer")
        return frame_of(month, version=2)

    result = run([partitioned_asset(compute=compute)], resources, MONTHS[0], MONTHS[-1])

    assert "an unusable answer" in failure_of(result)
    assert [lake.lake.read(key) == content for key, content in zip(keys, before, strict=True)] == [False, True, True]
    assert lake.partitions("domain/raw") == MONTHS[:3]


def test_partitions_that_the_output_lacks_are_passed_over(resources: Resources, lake: LakeResource) -> None:
    result = run([partitioned_asset(partitions=["2024-03", "2024-02"])], resources, MONTHS[0], MONTHS[-1])

    assert result.success
    assert lake.partitions("domain/raw") == list(reported(result)) == ["2024-02", "2024-03"]


@pytest.mark.parametrize(
    ("partitions", "message"),
    [([], "nothing is to be stored"), (["2024-02", "2024-04"], "partition 2024-04 is none of the run's, 2024-01 to 2024-03")],
)
def test_output_of_none_of_the_runs_partitions_or_of_others_is_refused(
    resources: Resources, lake: LakeResource, partitions: list[str], message: str
) -> None:
    assert message in failure_of(run([partitioned_asset(partitions=partitions)], resources, *MONTHS[:3:2]))
    assert lake.partitions("domain/raw") == []


@pytest.mark.parametrize("wanted", [MONTHS[::3], MONTHS[1:3]], ids=["gaps at the ends", "none"])
def test_reader_of_an_asset_with_gaps_gets_what_is_stored(resources: Resources, lake: LakeResource, wanted: list[str]) -> None:
    raw = partitioned_asset(partitions=["2024-02", "2024-03"])
    assert run([raw], resources, MONTHS[0], MONTHS[-1]).success

    strict = _run_downstream_only(downstream(lambda raw: raw), resources, *wanted)
    lenient = _run_downstream_only(downstream(lambda raw: raw), resources, *wanted, metadata={GAPS_ALLOWED: True})

    assert strict.success == (wanted == MONTHS[1:3])
    assert lenient.success
    assert lake.partitions("domain/derived") == ["2024-02", "2024-03"]


def test_reader_of_nothing_but_gaps_is_told_all_that_is_missing(resources: Resources) -> None:
    assert run([partitioned_asset()], resources, "2024-04").success

    result = _run_downstream_only(downstream(lambda raw: raw), resources, *MONTHS[:3:2], metadata={GAPS_ALLOWED: True})

    assert "domain/raw is not stored for 2024-01, 2024-02, 2024-03." in str(
        result.get_step_failure_events()[0].step_failure_data.user_failure_data
    )


def test_window_is_for_tables_only(resources: Resources) -> None:
    window = downstream(lambda raw: raw, metadata={AS_WINDOW: True})
    assert "domain/raw is no table" in failure_of(run([partitioned_asset(), window], resources, "2024-01"))


@pytest.mark.parametrize("asked_singly", [0, 24], ids=["listed", "asked for"])
def test_window_is_looked_for_by_listing_or_by_name(resources: Resources, monkeypatch: pytest.MonkeyPatch, asked_singly: int) -> None:
    monkeypatch.setattr(io_managers, "ASKED_SINGLY", asked_singly)
    assert run([partitioned_asset()], resources, MONTHS[0], MONTHS[1]).success

    result = _run_downstream_only(downstream(lambda raw: raw), resources, *MONTHS[1:3])

    failure = result.get_step_failure_events()[0].step_failure_data.user_failure_data
    assert failure.metadata["missing_partitions"].value == ["2024-03"]


def test_note_and_code_of_the_producer_are_in_the_stamp(resources: Resources, lake: LakeResource) -> None:
    assert run([partitioned_asset(note=lambda month: {"rows": month}, code="digest")], resources, *MONTHS[:2]).success

    assert [(stamp.note, stamp.code) for month in MONTHS[:2] if (stamp := lake.stamp("domain/raw", month))] == [
        ({"rows": "2024-01"}, "digest"),
        ({"rows": "2024-02"}, "digest"),
    ]


def test_one_value_for_several_partitions_is_refused(resources: Resources, lake: LakeResource) -> None:
    assert run([partitioned_asset()], resources, *MONTHS[:2]).success

    result = run([partitioned_asset(), downstream(lambda raw: raw["2024-01"])], resources, *MONTHS[:2])

    assert "domain/derived: a run of 2 partitions stores a Partitioned, not DataFrame" in failure_of(result)
    assert lake.partitions("domain/derived") == []


@pytest.mark.parametrize(
    ("asset_in", "expected"),
    [
        ({}, frame_of("2024-03")),
        ({"metadata": {AS_PARTITIONS: True}}, ["2024-03"]),
        ({"partition_mapping": WINDOW}, ["2024-01", "2024-02", "2024-03"]),
    ],
    ids=["value", "mapping asked for", "window"],
)
def test_input_is_the_value_or_a_lazy_mapping(resources: Resources, asset_in: dict[str, Any], expected: Any) -> None:
    seen = []

    def read(raw: Any) -> pd.DataFrame:
        seen.append(raw)
        return frame_of("2024-01")

    assert run([partitioned_asset()], resources, MONTHS[0], MONTHS[-1]).success
    assert run([partitioned_asset(), downstream(read, **asset_in)], resources, "2024-03").success

    if isinstance(expected, list):
        assert list(seen[0]) == expected
        pd.testing.assert_frame_equal(seen[0]["2024-03"], frame_of("2024-03"))
    else:
        pd.testing.assert_frame_equal(seen[0], expected)


def _run_downstream_only(
    derived: dg.AssetsDefinition, resources: Resources, *months: str, metadata: dict[str, Any] | None = None
) -> dg.ExecuteInProcessResult:
    tags = dict(zip(("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), months, strict=True))
    defs = dg.Definitions(assets=[partitioned_asset(metadata), derived], resources=resources)
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(asset_selection=[dg.AssetKey(["domain", "derived"])], tags=tags, raise_on_error=False)


@pytest.mark.parametrize(
    ("asset_in", "stored", "wanted", "missing", "which"),
    [
        ({}, None, ("2024-02", "2024-02"), ["2024-02"], "--partition 2024-02"),
        ({}, "2024-02", ("2024-01", "2024-04"), ["2024-01", "2024-03", "2024-04"], "--partition-range 2024-01...2024-04"),
        ({"partition_mapping": WINDOW}, "2024-03", ("2024-04", "2024-04"), ["2024-02", "2024-04"], "--partition-range 2024-02...2024-04"),
    ],
    ids=["one", "range", "window"],
)
def test_missing_upstream_partitions_are_all_named_with_the_command(
    resources: Resources, asset_in: dict[str, Any], stored: str | None, wanted: tuple[str, str], missing: list[str], which: str
) -> None:
    if stored:
        assert run([partitioned_asset()], resources, stored).success

    result = _run_downstream_only(downstream(lambda raw: raw, **asset_in), resources, *wanted)

    (event,) = result.get_step_failure_events()
    failure = event.step_failure_data.user_failure_data
    assert failure.description == (
        f"domain/raw is not stored for {', '.join(missing)}. Materialize it first: dg launch --assets '+key:\"domain/raw\"' {which}"
    )
    assert failure.metadata["missing_partitions"].value == missing


def test_partition_that_vanishes_before_it_is_read_is_named(resources: Resources, tmp_path: Path) -> None:
    assert run([partitioned_asset()], resources, *MONTHS[:2]).success

    def read(raw: Partitioned[pd.DataFrame]) -> Partitioned[pd.DataFrame]:
        (tmp_path / "lake" / "domain" / "raw" / "2024-02.parquet").unlink()
        return raw

    result = _run_downstream_only(downstream(read), resources, *MONTHS[:2])

    assert result.get_step_failure_events()[0].step_failure_data.user_failure_data.description.startswith(
        "domain/raw is not stored for 2024-02."
    )


def test_refused_credentials_fail_the_run_without_showing_the_secret(
    bucket: str, signatures_checked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "AnotherSecretNobodyMaySee"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)

    result = run([partitioned_asset()], {"frames": FrameIOManager(lake=LakeResource(uri=f"s3://{bucket}"))}, "2024-01")

    assert "does not exist in our records" in failure_of(result)
    assert secret not in "".join(str(event) for event in result.all_events)
