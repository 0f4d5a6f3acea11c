"""Loading the code location in a fresh interpreter, against `import dagster` alone: at most 1.3 times as long."""

from collections.abc import Iterator

from benchmarks.measure import Row, in_turn
from benchmarks.platform import Platform

BAR = 1.3
REPEATS = 9


def rows(platform: Platform) -> Iterator[Row]:
    """One row."""

    def importing(module: str) -> float:
        return platform.python("-c", f"import {module}").cpu_seconds

    importing("mlops_assets.definitions")  # the first reads files that the others find in memory
    seconds = in_turn(lambda: importing("mlops_assets.definitions"), lambda: importing("dagster"), repeats=REPEATS)
    yield Row("import_definitions", *seconds, BAR)
