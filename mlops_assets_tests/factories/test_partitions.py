"""Many partitions in one run: each with its own data version in Dagster, and computed only if its sources or its code changed."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from mlops_assets.factories.code_version import code_digest
from mlops_assets.factories.partitions import derived, store_partitions
from mlops_assets.storage.io_managers import AS_PARTITIONS, FrameIOManager
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.resource import LakeResource

MONTHS = ["2017-01", "2017-02", "2017-03"]
COMMON: dict[str, Any] = {
    "partitions_def": dg.MonthlyPartitionsDefinition(start_date="2017-01", end_date="2017-04", fmt="%Y-%m"),
    "backfill_policy": dg.BackfillPolicy.single_run(),
    "io_manager_key": "frames",
}


class System:
    """`raw` and `enriched` on a lake and an instance of their own; `contents` is what the upstream has, by month."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.lake = LakeResource(uri=str(folder / "lake"))
        self.resources = {"lake": self.lake, "frames": FrameIOManager(lake=self.lake)}
        self.instance = instance
        self.contents = dict.fromkeys(MONTHS, 1.0)
        self.reads, self.code = ["raw"], ["made_up_transforms"]
        self.computed: list[str] = []

        @dg.asset(**COMMON)
        def raw(context: dg.AssetExecutionContext) -> Any:
            months = list(context.partition_keys)
            yield from store_partitions(context, Partitioned(months, self._download), metadata={"portal": "made up"})

        @dg.asset(ins={"raw": dg.AssetIn(metadata={AS_PARTITIONS: True})}, **COMMON)
        def enriched(context: dg.AssetExecutionContext, lake: LakeResource, raw: Any) -> Any:
            def compute(month: str) -> pd.DataFrame:
                self.computed.append(month)
                return raw[month].assign(more=True)

            yield from store_partitions(context, derived(context, lake, compute, reads=self.reads, code=self.code))

        self.assets = [raw, enriched]

    def _download(self, month: str) -> pd.DataFrame:
        return pd.DataFrame({"value": [self.contents[month]]})

    def run(self, first: str, last: str | None = None, only: str | None = None) -> dg.ExecuteInProcessResult:
        """One run; the months that `enriched` computes in it are in `computed`."""
        self.computed.clear()
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if last else None
        return dg.materialize(
            self.assets,
            instance=self.instance,
            resources=self.resources,
            partition_key=None if last else first,
            tags=tags,
            selection=[only] if only else None,
            raise_on_error=False,
        )

    def stored_version(self, asset: str, month: str) -> str:
        """The data version in the lake."""
        stamp = self.lake.stamp(asset, month)
        assert stamp is not None
        return stamp.data_version

    def reported_version(self, asset: str, month: str) -> str | None:
        """The data version that Dagster has of the partition."""
        record = self.instance.get_latest_data_version_record(dg.AssetKey(asset), partition_key=month)
        materialization = record.asset_materialization if record else None
        return (materialization.tags or {}).get("dagster/data_version") if materialization else None


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """Nothing is stored yet; `made_up_transforms` is a module."""
    (tmp_path / "made_up_transforms.py").write_text("FEET = 0.3048\n")
    monkeypatch.syspath_prepend(tmp_path)
    code_digest.cache_clear()
    with dg.DagsterInstance.ephemeral() as instance:
        yield System(tmp_path, instance)
    code_digest.cache_clear()
    sys.modules.pop("made_up_transforms", None)


@pytest.mark.parametrize("last", [None, "2017-03"], ids=["one month", "range"])
def test_every_partition_has_its_own_data_version_in_dagster(system: System, last: str | None) -> None:
    months = MONTHS if last else MONTHS[:1]
    system.contents |= {"2017-02": 2.0, "2017-03": 3.0}

    assert system.run("2017-01", last).success

    for asset in ("raw", "enriched"):
        versions = {month: system.reported_version(asset, month) for month in months}
        assert versions == {month: system.stored_version(asset, month) for month in months}
        assert len(set(versions.values())) == len(months)


def test_latest_event_of_a_partition_has_its_metadata(system: System) -> None:
    assert system.run("2017-01", "2017-03").success

    for month in MONTHS:
        records = system.instance.fetch_materializations(dg.AssetRecordsFilter(dg.AssetKey("raw"), asset_partitions=[month]), limit=1)
        event = records.records[0].asset_materialization
        assert event.metadata["portal"].value == "made up"
        assert event.metadata["dagster/row_count"].value == 1
        assert event.metadata["data_version"].value == system.stored_version("raw", month)
        assert event.metadata["uri"].value.endswith(f"raw/{month}.parquet")


def test_each_partition_is_one_event(system: System) -> None:
    alone = system.run("2017-01").asset_materializations_for_node("raw")
    several = system.run("2017-01", "2017-03").asset_materializations_for_node("raw")

    assert [event.partition for event in alone] == ["2017-01"]
    assert sorted(str(event.partition) for event in several) == MONTHS


def test_nothing_is_computed_again_that_is_current(system: System) -> None:
    assert system.run("2017-01", "2017-03").success
    assert system.computed == MONTHS
    versions = {month: system.reported_version("enriched", month) for month in MONTHS}

    assert system.run("2017-01", "2017-03").success

    assert system.computed == []
    assert {month: system.reported_version("enriched", month) for month in MONTHS} == versions


def test_partition_whose_source_changed_is_computed_again(system: System) -> None:
    assert system.run("2017-01", "2017-03").success
    before = {month: system.stored_version("enriched", month) for month in MONTHS}
    system.contents["2017-02"] = 2.0

    assert system.run("2017-01", "2017-03").success

    assert system.computed == ["2017-02"]
    after = {month: system.reported_version("enriched", month) for month in MONTHS}
    assert {month for month in MONTHS if after[month] != before[month]} == {"2017-02"}


def test_partition_that_is_new_is_computed(system: System) -> None:
    assert system.run("2017-02").success

    assert system.run("2017-01", "2017-03").success

    assert system.computed == ["2017-01", "2017-03"]


def test_change_of_code_computes_every_partition_again(system: System, tmp_path: Path) -> None:
    assert system.run("2017-01", "2017-03").success
    (tmp_path / "made_up_transforms.py").write_text("FEET = 1200 / 3937\n")
    code_digest.cache_clear()

    assert system.run("2017-01", "2017-03").success

    assert system.computed == MONTHS
    stamp = system.lake.stamp("enriched", "2017-01")
    assert stamp is not None
    assert stamp.code == code_digest("made_up_transforms")


def test_partition_without_one_of_its_sources_is_never_current(system: System) -> None:
    system.reads = ["raw", "absent"]
    assert system.run("2017-01", "2017-03").success

    assert system.run("2017-01", "2017-03").success

    assert system.computed == MONTHS


def test_run_that_fails_reports_no_partition_and_the_next_one_mends_it(system: System) -> None:
    assert system.run("2017-01", "2017-03").success
    old = {month: system.reported_version("raw", month) for month in MONTHS}
    system.contents = {"2017-01": 5.0, "2017-03": 5.0}

    failed = system.run("2017-01", "2017-03", only="raw")

    assert not failed.success
    assert failed.asset_materializations_for_node("raw") == []
    assert system.stored_version("raw", "2017-01") != old["2017-01"]
    assert system.stored_version("raw", "2017-03") == old["2017-03"]
    system.contents["2017-02"] = 5.0
    assert system.run("2017-01", "2017-03", only="raw").success
    assert {month: system.reported_version("raw", month) for month in MONTHS} == {
        month: system.stored_version("raw", month) for month in MONTHS
    }


@pytest.mark.parametrize("last", [None, "2017-03"], ids=["one month", "range"])
def test_partition_is_stale_if_its_source_changed_and_not_if_it_was_only_stored_again(system: System, last: str | None) -> None:
    def status() -> str:
        graph = dg.Definitions(assets=system.assets, resources=system.resources).resolve_asset_graph()
        resolver = CachingStaleStatusResolver(system.instance, graph, LoadingContextForTest(system.instance))
        return resolver.get_status(dg.AssetKey("enriched"), "2017-01").value

    assert system.run("2017-01", last).success
    assert system.run("2017-01", last, only="raw").success
    assert status() == "FRESH"

    system.contents["2017-01"] = 2.0
    assert system.run("2017-01", last, only="raw").success
    assert status() == "STALE"
