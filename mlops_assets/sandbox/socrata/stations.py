"""The police stations dataset: 22 districts and the headquarters, as the portal has published them for years."""

import json
from pathlib import Path

import pyarrow as pa

from mlops_assets.sandbox.socrata.tables import STATION_TYPES, Partition, point_json

STATIONS_FILE = Path(__file__).with_name("stations.json")
PUBLISHED = "2016-02-03T18:00:00.000Z"


def built_in_stations() -> pa.Table:
    """The stations that come with the sandbox, as the portal serves them."""
    stations = json.loads(STATIONS_FILE.read_text())
    names = [name for name in STATION_TYPES if not name.startswith(":") and name != "location"]
    return station_rows(pa.table({name: pa.array([station.get(name) for station in stations], pa.string()) for name in names}))


def station_rows(stations: pa.Table) -> pa.Table:
    """Stations with their texts, completed by system fields and `location`."""
    size = stations.num_rows
    stamps = pa.repeat(PUBLISHED, size)
    columns = {
        **{name: stations[name] for name in stations.column_names},
        ":id": pa.array([f"row-{position:012d}" for position in range(size)]),
        ":created_at": stamps,
        ":updated_at": stamps,
        "location": point_json(stations["longitude"], stations["latitude"]),
    }
    return pa.table({name: columns[name] for name in STATION_TYPES})


def station_partition(stations: pa.Table) -> Partition:
    """The whole dataset as its one partition."""
    return Partition(month=None, rows=stations.num_rows, newest=PUBLISHED, load=lambda: stations)
