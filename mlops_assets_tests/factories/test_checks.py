"""Checks over partitions, in real runs of one and of several months."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.domain import TabularDomain
from mlops_assets.factories.checks import Finding, partition_check
from mlops_assets.factories.keys import asset_in, frame_asset
from mlops_assets.storage.io_managers import FrameIOManager
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.resource import LakeResource

ROWS = {"2017-01": 1, "2017-02": 0, "2017-03": 3}


def has_rows(frame: pd.DataFrame, month: str) -> Finding:
    assert len(frame) == ROWS[month]
    return Finding(len(frame) > 0, len(frame), {"negative": 2, "missing": 0}, text=f"{len(frame)} rows")


@pytest.fixture
def assets(toy: TabularDomain) -> Iterator[list[Any]]:
    """`enriched`, with no row in February, and `report` below it."""
    single_run = dg.BackfillPolicy.single_run()

    @frame_asset(toy, "enriched", "Rows of a month.", backfill_policy=single_run)
    def enriched(context: dg.AssetExecutionContext) -> Any:
        return Partitioned(list(context.partition_keys), lambda month: pd.DataFrame({"value": [1.0] * ROWS[month]}))

    @frame_asset(toy, "report", "Reads the rows.", ins={"rows": asset_in(toy, "enriched")}, backfill_policy=single_run)
    def report(rows: Any) -> Any:
        return rows

    return [enriched, report]


def run(
    assets: list[Any],
    check: dg.AssetChecksDefinition,
    folder: Path,
    first: str,
    last: str | None = None,
    instance: dg.DagsterInstance | None = None,
) -> Any:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if last else None
    lake = LakeResource(uri=str(folder))
    resources = {"frames": FrameIOManager(lake=lake), "lake": lake}
    partition = None if last else first
    return dg.materialize(
        [*assets, check], resources=resources, partition_key=partition, tags=tags, raise_on_error=False, instance=instance
    )


def test_check_of_one_month_passes_with_its_rows(assets: list[Any], toy: TabularDomain, tmp_path: Path) -> None:
    result = run(assets, partition_check(toy, "enriched", "has_rows", "At least one row.", has_rows), tmp_path, "2017-03")

    assert result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.passed
    assert evaluation.check_name == "has_rows"
    assert evaluation.description is None
    assert evaluation.partition == "2017-03"
    assert {name: value.value for name, value in evaluation.metadata.items()} == {"rows": 3, "negative": 2}


def test_check_of_a_range_judges_every_month_and_names_the_failing_ones(assets: list[Any], toy: TabularDomain, tmp_path: Path) -> None:
    check = partition_check(toy, "enriched", "has_rows", "At least one row.", has_rows)

    result = run(assets, check, tmp_path, "2017-01", "2017-03")

    evaluations = {item.partition: item for item in result.get_asset_check_evaluations()}
    assert {partition: item.passed for partition, item in evaluations.items()} == {"2017-01": True, "2017-02": False, "2017-03": True}
    assert evaluations["2017-02"].description == "2017-02: 0 rows"
    assert [item.metadata["rows"].value for item in evaluations.values()] == [1, 0, 3]


@pytest.mark.parametrize("blocking", [True, False])
def test_failing_check_stops_what_is_downstream_only_if_it_blocks(
    assets: list[Any], toy: TabularDomain, tmp_path: Path, blocking: bool
) -> None:
    check = partition_check(toy, "enriched", "has_rows", "At least one row.", has_rows, blocking=blocking)

    result = run(assets, check, tmp_path, "2017-02")

    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.severity == (dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN)
    assert LakeResource(uri=str(tmp_path)).partitions("toy/enriched") == ["2017-02"]
    assert LakeResource(uri=str(tmp_path)).partitions("toy/report") == ([] if blocking else ["2017-02"])


def test_finding_without_a_text_shows_its_counts(assets: list[Any], toy: TabularDomain, tmp_path: Path) -> None:
    def no_duplicates(frame: pd.DataFrame, month: str) -> Finding:
        return Finding(False, len(frame), {"id: duplicate": 2})

    result = run(assets, partition_check(toy, "enriched", "unique", "No row twice.", no_duplicates), tmp_path, "2017-03")

    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.description == "2017-03: {'id: duplicate': 2}"


def test_verdict_of_unchanged_content_is_repeated_and_of_other_content_or_code_is_not(
    assets: list[Any], toy: TabularDomain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []

    def judge(frame: pd.DataFrame, month: str) -> Finding:
        judged.append(month)
        return Finding(True, len(frame), {"odd": 1})

    check = partition_check(toy, "enriched", "judged", "Is judged.", judge, blocking=False, code=["mlops_assets.domain"])
    with dg.instance_for_test() as instance:
        first = run(assets, check, tmp_path, "2017-01", "2017-03", instance)
        again = run(assets, check, tmp_path, "2017-01", "2017-03", instance)
        assert judged == ["2017-01", "2017-02", "2017-03"]
        assert [item.metadata for item in again.get_asset_check_evaluations()] == [
            item.metadata for item in first.get_asset_check_evaluations()
        ]

        monkeypatch.setitem(ROWS, "2017-02", 5)
        run(assets, check, tmp_path, "2017-01", "2017-03", instance)
        assert judged[3:] == ["2017-02"]

        other_code = partition_check(toy, "enriched", "judged", "Is judged.", judge, blocking=False, code=["mlops_assets.settings"])
        run(assets, other_code, tmp_path, "2017-01", "2017-03", instance)
        assert judged[4:] == ["2017-01", "2017-02", "2017-03"]
