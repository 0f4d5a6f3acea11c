"""Partitions: the months of a cadence and the windows between them."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from mlops_assets.domain import Batches, Cadence, Monthly
from mlops_assets.partitions import batch_key, month_before, partitions_of, window_mapping, window_of

CADENCE = Monthly(start="2016-01", window=12)
MONTHS = partitions_of(CADENCE)
BATCHES = Batches(count=10)


def _window(key: str, cadence: Cadence = CADENCE) -> list[str]:
    """The upstream partitions that training of one reads."""
    partitions = partitions_of(cadence)
    result = window_mapping(cadence).get_upstream_mapped_partitions_result_for_partitions(
        partitions.subset_with_partition_keys([key]), partitions, partitions, datetime(2018, 2, 1, tzinfo=UTC)
    )
    return sorted(result.partitions_subset.get_partition_keys())


def test_months_run_from_the_start_to_the_last_one_that_has_ended() -> None:
    keys = MONTHS.get_partition_keys(current_time=datetime(2018, 1, 31, 23, 59, tzinfo=UTC))

    assert (keys[0], keys[-1], len(keys)) == ("2016-01", "2017-12", 24)
    assert MONTHS.get_partition_keys(current_time=datetime(2018, 2, 1, tzinfo=UTC))[-1] == "2018-01"


def test_window_ends_with_its_own_month() -> None:
    assert _window("2017-12") == [f"2017-{month:02d}" for month in range(1, 13)]


def test_window_before_the_first_month_is_shorter() -> None:
    assert _window("2016-03") == ["2016-01", "2016-02", "2016-03"]


def test_batches_are_numbered_so_that_keys_sort() -> None:
    keys = list(partitions_of(BATCHES).get_partition_keys())

    assert keys == sorted(keys) == [batch_key(number) for number in range(1, 11)]
    assert (keys[0], keys[-1]) == ("01", "10")


@pytest.mark.parametrize("last", ["01", "03", "10"])
def test_window_of_a_batch_is_every_batch_up_to_it(last: str) -> None:
    assert _window(last, BATCHES) == window_of(BATCHES, last) == [batch_key(number) for number in range(1, int(last) + 1)]


@pytest.mark.parametrize(("last", "window"), [("2016-03", ["2016-01", "2016-02", "2016-03"]), ("2017-12", _window("2017-12"))])
def test_window_of_a_month_is_what_training_of_it_reads(last: str, window: list[str]) -> None:
    assert window_of(CADENCE, last) == window == _window(last)


def test_window_of_a_partition_that_does_not_exist_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="there is no partition '11'; there are 01 to 10"):
        window_of(BATCHES, "11")


@pytest.mark.parametrize(
    ("day", "month"),
    [(date(2018, 1, 1), "2017-12"), (date(2018, 1, 31), "2017-12"), (date(2018, 2, 1), "2018-01"), (date(2018, 12, 31), "2018-11")],
)
def test_month_before_is_the_last_one_that_ended(day: date, month: str) -> None:
    assert month_before(day) == month


def test_month_before_is_a_partition_key() -> None:
    assert isinstance(MONTHS, dg.MonthlyPartitionsDefinition)
    assert month_before(date(2018, 1, 3)) in MONTHS.get_partition_keys(current_time=datetime(2018, 1, 3, tzinfo=UTC))
