"""Chicago's checks: what each finds in a frame, and which of them stop what is downstream."""

from typing import Any

import pandas as pd
import pytest

from mlops_assets.domains.chicago_crime import checks
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.chicago_crime.transforms import raw_crimes_frame

ROW = {field.name: field.example for field in CHICAGO_CRIME.request} | {"arrest": True, ":updated_at": "2018-01-01T00:00:00.000Z"}


def _month(rows: int, **first: Any) -> pd.DataFrame:
    crimes = [ROW | {"id": str(number)} for number in range(rows)]
    crimes[:1] = [crime | first for crime in crimes[:1]]
    return raw_crimes_frame([crimes])


def test_checks_that_stop_what_is_downstream() -> None:
    blocking = {spec.name: spec.blocking for check in checks.CHECKS for spec in check.check_specs}

    assert blocking == {
        "crimes_match_the_schema": True,
        "months_have_crimes": False,
        "stations_match_the_schema": True,
        "enriched_crimes_match_the_schema": True,
        "crimes_have_unique_ids": True,
    }


def test_checks_describe_themselves_and_are_partitioned_like_their_assets() -> None:
    for check in checks.CHECKS:
        for spec in check.check_specs:
            assert spec.description
            assert spec.partitions_def is not None
            assert spec.partitions_def.get_first_partition_key() == CHICAGO_CRIME.cadence.start


@pytest.mark.parametrize(("rows", "holds"), [(0, False), (1, True)])
def test_has_crimes_counts_them(rows: int, holds: bool) -> None:
    finding = checks.has_crimes(_month(rows), "2017-11")

    assert (finding.holds, finding.rows, finding.text) == (holds, rows, f"{rows} crimes")


def test_raw_crimes_match_counts_tolerated_dirt_by_reason() -> None:
    finding = checks.raw_crimes_match(_month(40, x_coordinate="0", y_coordinate="0"), "2017-11")

    assert (finding.holds, finding.rows, finding.counts) == (True, 40, {"outside Chicago": 1})


def test_raw_crimes_match_says_what_is_wrong() -> None:
    finding = checks.raw_crimes_match(_month(3).drop(columns="beat"), "2017-11")

    assert not finding.holds
    assert "beat: missing column" in finding.text


def test_raw_crimes_match_refuses_another_month() -> None:
    assert not checks.raw_crimes_match(_month(3), "2017-12").holds


def test_ids_are_unique_counts_duplicates() -> None:
    finding = checks.ids_are_unique(_month(3, id="2"), "2017-11")

    assert (finding.holds, finding.counts) == (False, {"id: duplicate": 1})


def test_check_over_a_range_names_the_failing_months_and_keeps_the_others(platform: Any) -> None:
    result = platform.ingest("2017-12", "2018-02")

    evaluations = [item for item in result.get_asset_check_evaluations() if item.check_name == "months_have_crimes"]
    assert [(item.partition, item.passed, item.description) for item in evaluations] == [
        ("2017-12", True, None),
        ("2018-01", True, None),
        ("2018-02", False, "2018-02: 0 crimes"),
    ]
    assert [item.metadata["rows"].value for item in evaluations] == [300, 300, 0]
