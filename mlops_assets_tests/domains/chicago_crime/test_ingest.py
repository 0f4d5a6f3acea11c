"""Ingest through the real job and the sandbox over HTTP: what is downloaded, what is refused, and what a failure says."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.domains.chicago_crime.ingest import partitions_to_ingest
from mlops_assets.domains.chicago_crime.spec import CRIMES_DATASET, STATIONS_DATASET
from mlops_assets.resources.socrata import SocrataResource
from mlops_assets.resources.upstream import UpstreamError
from mlops_assets.sandbox.socrata import SocrataSandbox

ADAPT = "adapt chicago_crime's transforms and schema"
KEPT = "The stored partition stays as it was."


@pytest.fixture(scope="module")
def stored_march(portal: SocrataSandbox, make_platform: Callable[[], AbstractContextManager[Any]]) -> Iterator[Any]:
    """March 2017 is stored and has been revised since."""
    portal.faults.clear()
    with make_platform() as platform:
        assert platform.ingest("2017-03").success
        portal.revise("2017-03", rows=1)
        yield platform


@pytest.fixture
def march(stored_march: Any, sandbox: SocrataSandbox) -> Any:
    """The same, without faults."""
    return stored_march


def _check(result: dg.ExecuteInProcessResult, name: str, month: str) -> dg.AssetCheckEvaluation:
    evaluations = {item.partition: item for item in result.get_asset_check_evaluations() if item.check_name == name}
    return evaluations[month]


def test_ingest_of_an_unchanged_month_downloads_no_row(platform: Any) -> None:
    assert platform.ingest("2017-02").success
    stored = platform.data("raw_crimes", "2017-02")
    assert platform.rows_served(CRIMES_DATASET) == {"2017-02": 300}
    platform.sandbox.reset_stats()

    assert platform.ingest("2017-02").success

    assert platform.rows_served(CRIMES_DATASET) == {}
    assert {dataset: counters["requests"] for dataset, counters in platform.sandbox.stats().items()} == {
        CRIMES_DATASET: 1,
        STATIONS_DATASET: 1,
    }
    assert platform.data("raw_crimes", "2017-02") == stored


def test_ingest_of_a_range_downloads_only_the_months_that_changed(platform: Any) -> None:
    assert platform.ingest("2016-01", "2016-03").success
    untouched = platform.data("enriched", "2016-03")
    platform.sandbox.revise("2016-02", rows=5, add_rows=2)
    platform.sandbox.reset_stats()

    assert platform.ingest("2016-01", "2016-04").success

    assert platform.rows_served(CRIMES_DATASET) == {"2016-02": 302, "2016-04": 300}
    assert len(platform.frame("enriched", "2016-02")) == 302
    assert platform.data("enriched", "2016-03") == untouched


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "html"}, ["months 2017-03 to 2017-03", "text/html, not JSON", "Check SOCRATA_URL"]),
        ({"kind": "cut"}, ["months 2017-03 to 2017-03", "cut short", "run this again later"]),
        ({"kind": "invalid_json"}, ["months 2017-03 to 2017-03", "not JSON", "run this again later"]),
        ({"kind": "status", "status": 500}, ["months 2017-03 to 2017-03", "HTTP 500", "run this again later"]),
        ({"kind": "status", "status": 429}, ["months 2017-03 to 2017-03", "HTTP 429", "SOCRATA_APP_TOKEN"]),
        ({"kind": "missing_column"}, ["month 2017-03", "no column 'arrest'", "adapt the query"]),
        ({"kind": "renamed_column", "column": "beat", "new_name": "police_beat"}, ["month 2017-03", "no column 'beat'", "adapt the query"]),
        ({"kind": "wrong_type"}, ["month 2017-03", "arrest holds 'N' and 299 more where bool is due", ADAPT]),
        ({"kind": "wrong_type", "column": "date"}, ["months 2017-03 to 2017-03", "date_trunc_ym", "does not understand"]),
        ({"kind": "duplicate_ids", "rows": 100}, ["month 2017-03", "duplicate id (100 rows", ADAPT]),
        ({"kind": "outside", "rows": 100}, ["month 2017-03", "outside Chicago (100 rows", ADAPT]),
        ({"kind": "empty"}, ["month 2017-03", "announces 0 rows, but 300 are stored", "delete chicago_crime/raw_crimes/2017-03.parquet"]),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_ingest_of_what_must_not_be_stored_is_one_clear_failure(march: Any, fault: dict[str, Any], words: list[str]) -> None:
    stored = march.data("raw_crimes", "2017-03")
    march.sandbox.faults.add(**fault, dataset=CRIMES_DATASET, times=None)

    result = march.ingest("2017-03")

    assert not result.success
    failures = march.failures(result)
    assert list(failures) == ["raw_crimes"]
    for word in [CRIMES_DATASET, KEPT, *words]:
        assert word in failures["raw_crimes"]
    assert march.data("raw_crimes", "2017-03") == stored


def test_ingest_failure_carries_the_counts_as_metadata(platform: Any) -> None:
    platform.sandbox.faults.add("duplicate_ids", rows=100, dataset=CRIMES_DATASET, times=None)

    result = platform.ingest("2017-03")

    (event,) = [event for event in result.all_events if event.is_step_failure]
    metadata = event.step_failure_data.user_failure_data.metadata
    assert {name: value.value for name, value in metadata.items()} == {"rows": 400, "id: duplicate id": 100}


def test_ingest_of_a_range_keeps_the_months_before_the_failure(platform: Any) -> None:
    platform.sandbox.faults.add("cut", month="2016-06", dataset=CRIMES_DATASET, times=None)

    result = platform.ingest("2016-05", "2016-07")

    assert "(month 2016-06, rows from 0)" in platform.failures(result)["raw_crimes"]
    assert platform.lake.partitions("chicago_crime/raw_crimes") == ["2016-05"]


def test_ingest_of_wrong_stations_is_one_clear_failure(platform: Any) -> None:
    platform.sandbox.faults.add("missing_column", column="district", dataset=STATIONS_DATASET, times=None)

    result = platform.ingest("2017-04")

    failures = platform.failures(result)
    assert list(failures) == ["raw_police_stations"]
    assert STATIONS_DATASET in failures["raw_police_stations"]
    assert "no column 'district'" in failures["raw_police_stations"]
    assert platform.lake.partitions("chicago_crime/raw_police_stations") == []


def test_tolerated_dirt_is_set_aside_with_its_reason_and_counted(platform: Any) -> None:
    platform.sandbox.faults.add("duplicate_ids", rows=4, dataset=CRIMES_DATASET, times=None)
    platform.sandbox.faults.add("outside", rows=6, dataset=CRIMES_DATASET, times=None)

    result = platform.ingest("2017-05")

    assert result.success
    rejected = platform.frame("rejected_crimes", "2017-05")
    raw = platform.frame("raw_crimes", "2017-05")
    counts = rejected["reason"].value_counts().to_dict()
    assert counts["duplicate id"] == 4
    assert len(platform.frame("enriched", "2017-05")) + len(rejected) == len(raw) == 304
    metadata = _check(result, "crimes_match_the_schema", "2017-05").metadata
    assert {reason: metadata[reason].value for reason in counts} == counts


def test_a_month_that_never_had_rows_is_stored_empty_with_a_warning(platform: Any) -> None:
    result = platform.ingest("2018-01", "2018-02")

    assert result.success
    assert {stage: len(platform.frame(stage, "2018-02")) for stage in ("raw_crimes", "rejected_crimes", "enriched")} == {
        "raw_crimes": 0,
        "rejected_crimes": 0,
        "enriched": 0,
    }
    assert platform.frame("enriched", "2018-02").dtypes.equals(platform.frame("enriched", "2018-01").dtypes)
    warning = _check(result, "months_have_crimes", "2018-02")
    assert (warning.passed, warning.severity, warning.description) == (False, dg.AssetCheckSeverity.WARN, "2018-02: 0 crimes")
    assert all(item.passed for item in result.get_asset_check_evaluations() if item != warning)


def test_an_emptied_month_is_stored_once_its_object_is_deleted(platform: Any) -> None:
    assert platform.ingest("2017-06").success
    platform.sandbox.faults.add("empty", month="2017-06", dataset=CRIMES_DATASET, times=None)
    assert not platform.ingest("2017-06").success
    platform.delete("raw_crimes", "2017-06")

    assert platform.ingest("2017-06").success

    assert len(platform.frame("enriched", "2017-06")) == 0


@pytest.mark.parametrize(
    ("last_crime", "newest"),
    [
        ("2018-01-31T00:10:00", "2018-01"),
        ("2018-01-30T23:59:00", "2017-12"),
        ("2017-12-31T22:00:00", "2017-12"),
        ("2018-01-01T00:00:00", "2017-12"),
    ],
)
def test_partitions_to_ingest_end_with_the_last_month_that_the_portal_has_whole(tmp_path: Path, last_crime: str, newest: str) -> None:
    crime = {"id": "1", "date": last_crime, "updated_on": last_crime, "arrest": False}
    (tmp_path / "crimes.json").write_text(json.dumps([crime]))

    with SocrataSandbox(replay=tmp_path) as sandbox:
        assert partitions_to_ingest({"socrata": SocrataResource(url=sandbox.url, attempts=1)}, None)[-1] == newest


def test_partitions_to_ingest_passes_the_portals_failure_on(sandbox: SocrataSandbox) -> None:
    sandbox.faults.add("status", status=503, times=None)

    with pytest.raises(UpstreamError, match="newest date"):
        partitions_to_ingest({"socrata": SocrataResource(url=sandbox.url, attempts=1)}, None)
