"""Partition keys and definitions: which slices of time a system's assets come in, and the windows between them."""

from datetime import date

import dagster as dg

from mlops_assets.domain import Cadence

MONTH_FORMAT = "%Y-%m"


def monthly_partitions(cadence: Cadence) -> dg.MonthlyPartitionsDefinition:
    """Months `YYYY-MM` from the cadence's start to the last month that has ended (UTC)."""
    return dg.MonthlyPartitionsDefinition(start_date=cadence.start, fmt=MONTH_FORMAT)


def window_mapping(cadence: Cadence) -> dg.TimeWindowPartitionMapping:
    """Partition M reads the `cadence.window` upstream partitions that end with M; before the first partition the window is shorter."""
    return dg.TimeWindowPartitionMapping(start_offset=1 - cadence.window, allow_nonexistent_upstream_partitions=True)


def month_before(day: date) -> str:
    """The month that ended last before `day`, as `YYYY-MM`."""
    return f"{day.year - 1}-12" if day.month == 1 else f"{day.year}-{day.month - 1:02d}"
