"""Real exports as the portal would serve them: CSV downloads and saved SODA answers become the sandbox's tables.

Here belongs every historical shape of the files. Nothing is repaired: what an export holds is what clients get.
"""

import csv
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from mlops_assets.sandbox.socrata.stations import station_rows
from mlops_assets.sandbox.socrata.tables import CRIME_TYPES, STATION_TYPES, Partition, iso_texts, point_json, published

CRIME_EXPORTS, STATION_EXPORTS = "crimes*", "police_stations*"
SUFFIXES = (".csv", ".csv.gz", ".json")
EXPECTED = (
    "crimes*.csv or crimes*.csv.gz with the portal's titles (ID, Case Number, Date, ...), or crimes*.json, an array of SODA rows; "
    "police_stations* in the same forms may stand beside them"
)
DATE_FORMATS = ("%m/%d/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S")


def export_files(folder: Path) -> list[Path]:
    """The files of a folder that can be replayed."""
    return [path for pattern in (CRIME_EXPORTS, STATION_EXPORTS) for path in _matching(folder, pattern)]


class ReplayedCrimes:
    """The months found in the crime exports of a folder, in memory.

    FileNotFoundError when there is no export in it, ValueError when an export is not one of crimes.
    """

    def __init__(self, folder: Path) -> None:
        exports = _read(folder, CRIME_EXPORTS, CRIME_TYPES)
        if exports is None:
            raise FileNotFoundError(f"{folder} holds no crimes to replay: expected {EXPECTED}")
        rows = _crime_rows(exports)
        months = pc.utf8_slice_codeunits(rows["date"], 0, 7).to_numpy()
        names, starts, sizes = np.unique(months, return_index=True, return_counts=True)
        self._months = {
            str(name): rows.slice(start, size) for name, start, size in zip(names, starts.tolist(), sizes.tolist(), strict=True)
        }

    def partitions(self) -> Iterator[Partition]:
        """The months, oldest first."""
        for month, table in self._months.items():
            yield Partition(month, table.num_rows, pc.max(table[":updated_at"]).as_py(), partial(_same, table))


def replayed_stations(folder: Path) -> pa.Table | None:
    """The police stations among the folder's exports; None when it holds none."""
    stations = _read(folder, STATION_EXPORTS, STATION_TYPES)
    return None if stations is None else station_rows(stations)


def _same(table: pa.Table) -> pa.Table:
    return table


def _read(folder: Path, pattern: str, types: Mapping[str, str]) -> pa.Table | None:
    """Every export that matches, one below the other, with the portal's JSON names and text values."""
    paths = _matching(folder, pattern)
    if not paths:
        return None
    names = [name for name in types if not name.startswith(":") and name != "location"]
    return pa.concat_tables(_complete(_read_json(path) if path.suffix == ".json" else _read_csv(path), names) for path in paths)


def _matching(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.name.endswith(SUFFIXES))


def _complete(table: pa.Table, names: list[str]) -> pa.Table:
    missing = pa.nulls(table.num_rows, pa.string())
    return pa.table({name: table[name] if name in table.column_names else missing for name in names})


def _read_csv(path: Path) -> pa.Table:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        titles = next(csv.reader([file.readline().decode("utf-8-sig")]))
    table = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(column_names=titles, skip_rows=1),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(titles, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )
    return table.rename_columns([title.lower().replace(" ", "_") for title in titles])


def _read_json(path: Path) -> pa.Table:
    rows = [_flat_row(row) for row in json.loads(path.read_text(encoding="utf-8"))]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})


def _flat_row(row: Mapping[str, Any]) -> dict[str, str]:
    """A SODA row as texts; its location, in any of the three shapes the portal has had, gives the coordinates it lacks."""
    texts = {name: _text(value) for name, value in row.items() if value is not None and not isinstance(value, dict)}
    location = row.get("location")
    latitude: Any
    longitude: Any
    if isinstance(location, dict) and "coordinates" in location:
        longitude, latitude = (str(degrees) for degrees in location["coordinates"])
    elif isinstance(location, dict):
        longitude, latitude = location.get("longitude"), location.get("latitude")
    else:
        latitude, longitude = re.findall(r"-?[\d.]+", location) if location else (None, None)
    return {"latitude": latitude, "longitude": longitude, **texts} if latitude is not None else texts


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _crime_rows(exports: pa.Table) -> pa.Table:
    """The exports as the sandbox serves them, ordered by month."""
    for required in ("id", "date", "arrest"):
        if exports[required].null_count:
            raise ValueError(f"{exports[required].null_count} rows to replay have no {required}: is this an export of crimes?")
    date, updated_on = _dates(exports["date"]), _dates(exports["updated_on"])
    updated_at = published(updated_on)
    columns = {
        **{name: exports[name] for name in exports.column_names},
        ":created_at": updated_at,
        ":updated_at": updated_at,
        "date": date,
        "updated_on": updated_on,
        "year": pc.utf8_slice_codeunits(date, 0, 4),
        "arrest": pc.equal(exports["arrest"], "true"),
        "domestic": pc.equal(exports["domestic"], "true"),
        "location": point_json(exports["longitude"], exports["latitude"]),
    }
    order = np.argsort(pc.utf8_slice_codeunits(date, 0, 7).to_numpy().astype("datetime64[M]"), kind="stable")
    rows = pa.table(columns).take(order).combine_chunks()
    identifiers = pa.array([f"row-{position:012d}" for position in range(rows.num_rows)])
    return rows.append_column(":id", identifiers).select(list(CRIME_TYPES))


def _dates(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """ISO text with milliseconds, from the CSV's form or either of the API's."""
    seconds = pc.replace_substring_regex(texts, r"\.\d+$", "")
    moments = pc.coalesce(*(pc.strptime(seconds, format=form, unit="s", error_is_null=True) for form in DATE_FORMATS))
    unreadable = texts.filter(pc.and_(pc.is_valid(texts), pc.is_null(moments)))
    if len(unreadable):
        raise ValueError(f"{len(unreadable)} dates to replay cannot be read, the first is {unreadable[0].as_py()!r}")
    return iso_texts(moments)
