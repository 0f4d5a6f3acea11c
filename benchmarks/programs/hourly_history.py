"""One hour's tables written and a window of hours read, in a warehouse that holds one month of hours and in one that holds three years.

Prints the CPU seconds of both (median of rounds that take turns), and whether both windows have the same rows.
"""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from benchmarks.measure import cpu_seconds, in_turn
from mlops_assets.domain import Table
from mlops_assets.domains.donostia_parking.spec import HOURLY_PARKING, PREDICTIONS, RAW_PARKING, REJECTS
from mlops_assets.hours import HOUR, hour_key, hour_of
from mlops_assets.storage.stamp import Stamp
from mlops_assets.storage.warehouse import Warehouse, arrow_schema
from mlops_assets.storage.warehouse.stamps import STAMPS, NewPartition, read_window, write_partitions

LAST = hour_of("2024-12-31T00")
WINDOW = MONTH = 28 * 24
THREE_YEARS = 3 * 365 * 24
CAR_PARKS = 17
TABLES = {"raw_parking": RAW_PARKING, "rejected_features": REJECTS, "enriched": HOURLY_PARKING, "predictions": PREDICTIONS}
HOURS = {hour_key(LAST - number * HOUR): f"{number:032x}" for number in range(WINDOW)}
"""A partition and data version for each hour of a window."""
STAGES = ("raw_readings", "raw_parking", "enriched")
OF_ONE_HOUR = {f"donostia_parking/{stage}": {hour_key(LAST): "0" * 32} for stage in STAGES}
OF_A_WINDOW = Stamp("0" * 32, {f"donostia_parking/{stage}": HOURS for stage in STAGES}).as_input("donostia_parking/series", hour_key(LAST))
LINEAGE = {name: OF_A_WINDOW if name == "predictions" else OF_ONE_HOUR for name in TABLES}
"""Table's stage -> what a partition is made from."""
ROUNDS = 9


def main() -> None:
    """Fills, measures, prints."""
    with TemporaryDirectory() as folder:
        long, short = (_filled(Path(folder, f"{hours}.duckdb"), hours) for hours in (THREE_YEARS, MONTH))
        windows = [_window(warehouse) for warehouse in (long, short)]
        hours = iter(range(1, 2 * ROUNDS + 1))
        ours, theirs = in_turn(lambda: _round(long, next(hours)), lambda: _round(short, next(hours)), repeats=ROUNDS)
    print(json.dumps({"three_years": ours, "one_month": theirs, "same": windows[0].equals(windows[1])}))


def _filled(path: Path, hours: int) -> Warehouse:
    """A warehouse with the hours that end with LAST, written at once, a stamp for each."""
    warehouse = Warehouse(f"duckdb:///{path}")
    moments = [LAST - number * HOUR for number in reversed(range(hours))]
    for name, table in TABLES.items():
        warehouse.write(replace(table, mode="append"), _rows(table, moments))
        stamps = [
            {
                "asset": f"donostia_parking/{name}",
                "partition": hour_key(moment),
                "row_count": CAR_PARKS,
                "stamp": Stamp("0" * 32, LINEAGE[name]).to_json().decode(),
            }
            for moment in moments
        ]
        warehouse.write(STAMPS, pa.Table.from_pylist(stamps))
    return warehouse


def _rows(table: Table, moments: list[datetime]) -> pa.Table:
    """Each moment and car park; the same for the same moment."""
    count = len(moments) * CAR_PARKS
    times = pa.array(np.repeat(np.array([moment.timestamp() for moment in moments], "int64") * 1_000_000, CAR_PARKS))
    kinds = {
        "timestamp": times.cast(pa.timestamp("us", "UTC")),
        "string": pa.array([f"car park {number}" for number in range(CAR_PARKS)] * len(moments)),
        "long": pa.array(np.tile(np.arange(CAR_PARKS), len(moments))),
        "double": pa.array(np.full(count, 43.3)),
    }
    return pa.table([kinds[column.type] for column in table.columns], schema=arrow_schema(table))


def _round(warehouse: Warehouse, hour: int) -> float:
    """The CPU seconds of an hour that comes after the stored ones."""
    moment = LAST + hour * HOUR

    def run() -> None:
        for name, table in TABLES.items():
            key = hour_key(moment - table.partition_offset_hours * HOUR)
            new = NewPartition(key, _rows(table, [moment]), LINEAGE[name])
            write_partitions(warehouse, table, f"donostia_parking/{name}", [new])
        _window(warehouse)

    return cpu_seconds(run)


def _window(warehouse: Warehouse) -> pa.Table:
    keys = [hour_key(LAST - number * HOUR) for number in reversed(range(WINDOW))]
    return read_window(warehouse, HOURLY_PARKING, "donostia_parking/enriched", keys)[0]


if __name__ == "__main__":
    main()
