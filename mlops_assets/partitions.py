"""Partition keys and definitions: the slices that a system's assets come in, months or batches, and the windows between them."""

from datetime import date

import dagster as dg

from mlops_assets.domain import Batches, Cadence

MONTH_FORMAT = "%Y-%m"


def partitions_of(cadence: Cadence) -> dg.PartitionsDefinition[str]:
    """Months `YYYY-MM` from the cadence's start to the last month that has ended (UTC), or batches `01`, `02`, ..."""
    if isinstance(cadence, Batches):
        return dg.StaticPartitionsDefinition([batch_key(number) for number in range(1, cadence.count + 1)])
    return dg.MonthlyPartitionsDefinition(start_date=cadence.start, fmt=MONTH_FORMAT)


def window_mapping(cadence: Cadence) -> dg.PartitionMapping:
    """What training reads: the `window` months that end with its own, fewer before the first; or every batch up to its own."""
    if isinstance(cadence, Batches):
        keys = partitions_of(cadence).get_partition_keys()
        return dg.StaticPartitionMapping({key: keys[position:] for position, key in enumerate(keys)})
    return dg.TimeWindowPartitionMapping(start_offset=1 - cadence.window, allow_nonexistent_upstream_partitions=True)


def window_text(cadence: Cadence) -> str:
    """What training reads, in words."""
    return "every batch up to this one" if isinstance(cadence, Batches) else f"the {cadence.window} months that end with this one"


def window_of(cadence: Cadence, last: str) -> list[str]:
    """The partitions that training of `last` reads. ValueError, which says what there is, if there is no such partition."""
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
