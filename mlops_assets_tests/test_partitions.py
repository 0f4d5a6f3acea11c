"""Partitions: the months of a cadence and the windows between them."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from mlops_assets.domain import Cadence
from mlops_assets.partitions import month_before, monthly_partitions, window_mapping

CADENCE = Cadence(start="2016-01", window=12)
MONTHS = monthly_partitions(CADENCE)


def _window(month: str) -> list[str]:
    """The upstream months that training of a month reads."""
    mapping = window_mapping(CADENCE)
    result = mapping.get_upstream_mapped_partitions_result_for_partitions(
        MONTHS.subset_with_partition_keys([month]), MONTHS, MONTHS, datetime(2018, 2, 1, tzinfo=UTC)
    )
    return list(result.partitions_subset.get_partition_keys())


def test_months_run_from_the_start_to_the_last_one_that_has_ended() -> None:
    keys = MONTHS.get_partition_keys(current_time=datetime(2018, 1, 31, 23, 59, tzinfo=UTC))

    assert (keys[0], keys[-1], len(keys)) == ("2016-01", "2017-12", 24)
    assert MONTHS.get_partition_keys(current_time=datetime(2018, 2, 1, tzinfo=UTC))[-1] == "2018-01"


def test_window_ends_with_its_own_month() -> None:
    assert _window("2017-12") == [f"2017-{month:02d}" for month in range(1, 13)]


def test_window_before_the_first_month_is_shorter() -> None:
    assert _window("2016-03") == ["2016-01", "2016-02", "2016-03"]


@pytest.mark.parametrize(
    ("day", "month"),
    [(date(2018, 1, 1), "2017-12"), (date(2018, 1, 31), "2017-12"), (date(2018, 2, 1), "2018-01"), (date(2018, 12, 31), "2018-11")],
)
def test_month_before_is_the_last_one_that_ended(day: date, month: str) -> None:
    assert month_before(day) == month


def test_month_before_is_a_partition_key() -> None:
    assert isinstance(MONTHS, dg.MonthlyPartitionsDefinition)
    assert month_before(date(2018, 1, 3)) in MONTHS.get_partition_keys(current_time=datetime(2018, 1, 3, tzinfo=UTC))
