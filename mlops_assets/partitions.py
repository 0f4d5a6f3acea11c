"""Partition keys and definitions: the slices that a system's assets come in, months, batches or hours, and the windows between them."""

from datetime import UTC, date, datetime

import dagster as dg

from mlops_assets.domain import Batches, Cadence, Hourly
from mlops_assets.hours import HOUR, HOUR_FORMAT, hour_key, hour_of

MONTH_FORMAT = "%Y-%m"


def partitions_of(cadence: Cadence) -> dg.PartitionsDefinition[str]:
    """Months `YYYY-MM` from the cadence's start to the last month that has ended (UTC), batches `01`, `02`, ..., or hours `YYYY-MM-DDTHH`.

    The hour that is running is a partition already, because its readings come while it runs.
    """
    if isinstance(cadence, Batches):
        return dg.StaticPartitionsDefinition([batch_key(number) for number in range(1, cadence.count + 1)])
    if isinstance(cadence, Hourly):
        return dg.HourlyPartitionsDefinition(start_date=cadence.start, fmt=HOUR_FORMAT, timezone="UTC", end_offset=1)
    return dg.MonthlyPartitionsDefinition(start_date=cadence.start, fmt=MONTH_FORMAT)


def window_mapping(cadence: Cadence) -> dg.PartitionMapping:
    """What training reads: the `window` months or hours that end with its own, fewer before the first; or every batch up to its own."""
    if isinstance(cadence, Batches):
        keys = partitions_of(cadence).get_partition_keys()
        return dg.StaticPartitionMapping({key: keys[position:] for position, key in enumerate(keys)})
    return dg.TimeWindowPartitionMapping(start_offset=1 - cadence.window, allow_nonexistent_upstream_partitions=True)


def window_text(cadence: Cadence) -> str:
    """What training reads, in words."""
    if isinstance(cadence, Batches):
        return "every batch up to this one"
    return f"the {cadence.window} {'hours' if isinstance(cadence, Hourly) else 'months'} that end with this one"


def window_of(cadence: Cadence, last: str) -> list[str]:
    """The partitions that training of `last` reads. ValueError, which says what there is, if there is no such partition."""
    if isinstance(cadence, Hourly):
        return _hours(cadence, last)
    keys = list(partitions_of(cadence).get_partition_keys())
    if last not in keys:
        raise ValueError(f"there is no partition {last!r}; there are {keys[0]} to {keys[-1]}")
    position = keys.index(last)
    first = 0 if isinstance(cadence, Batches) else max(0, position + 1 - cadence.window)
    return keys[first : position + 1]


def batch_key(number: int) -> str:
    """Two digits, so that keys sort as numbers."""
    return f"{number:02d}"


def month_before(day: date) -> str:
    """The month that ended last before `day`, as `YYYY-MM`."""
    return f"{day.year - 1}-12" if day.month == 1 else f"{day.year}-{day.month - 1:02d}"


def _hours(cadence: Hourly, last: str) -> list[str]:
    """By arithmetic: years of hours are too many to list for each run."""
    first, running = hour_of(cadence.start), hour_key(datetime.now(UTC))
    try:
        end = hour_of(last)
    except ValueError:
        end = None
    if end is None or not first <= end <= hour_of(running):
        raise ValueError(f"there is no partition {last!r}; there are {cadence.start} to {running}")
    start = max(first, end - (cadence.window - 1) * HOUR)
    return [hour_key(start + number * HOUR) for number in range((end - start) // HOUR + 1)]
