"""One hour's tables written and four weeks read, after three years of hours against after four weeks: at most 1.25 times the CPU.

In one process and in rounds that take turns, so that imports and a busy machine hide nothing.
"""

import json
from collections.abc import Iterator

from benchmarks.measure import Row
from benchmarks.platform import Platform

BAR = 1.25


def rows(platform: Platform) -> Iterator[Row]:
    """One row."""
    usage = platform.fresh("hourly_history").program("hourly_history")
    found = json.loads(usage.output.splitlines()[-1])
    note = "ours: after three years of hours; theirs: after four weeks"
    yield Row("hourly_history, CPU an hour", found["three_years"], found["one_month"], BAR, same=found["same"], note=note)
