"""What a dataset is to the sandbox: SODA column types, rows as Arrow tables by month, and the portal's JSON.

A table holds every value as the portal writes it: strings, null where the portal leaves the key out, booleans for checkboxes and raw
JSON for `location`. No query logic and no HTTP here.
"""

import calendar
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

CRIMES = "ijzp-q8t2"
STATIONS = "z8bn-74gv"

SYSTEM_TYPES = {":id": "row_identifier", ":created_at": "fixed_timestamp", ":updated_at": "fixed_timestamp"}
CRIME_TYPES = {
    **SYSTEM_TYPES,
    "id": "number",
    "case_number": "text",
    "date": "calendar_date",
    "block": "text",
    "iucr": "text",
    "primary_type": "text",
    "description": "text",
    "location_description": "text",
    "arrest": "checkbox",
    "domestic": "checkbox",
    "beat": "text",
    "district": "text",
    "ward": "number",
    "community_area": "text",
    "fbi_code": "text",
    "x_coordinate": "number",
    "y_coordinate": "number",
    "year": "number",
    "updated_on": "calendar_date",
    "latitude": "number",
    "longitude": "number",
    "location": "location",
}
STATION_TYPES = {
    **SYSTEM_TYPES,
    "district": "text",
    "district_name": "text",
    "address": "text",
    "city": "text",
    "state": "text",
    "zip": "text",
    "website": "text",
    "phone": "text",
    "fax": "text",
    "tty": "text",
    "x_coordinate": "number",
    "y_coordinate": "number",
    "latitude": "number",
    "longitude": "number",
    "location": "location",
}
UNQUOTED = {"checkbox", "location"}
NOT_FOUND_POINT = {"x_coordinate": 0.0, "y_coordinate": 0.0, "latitude": 36.619446395, "longitude": -91.686565684}
"""What the portal gives for an address that could not be found: a place in Missouri."""
PUBLICATION_HOURS = 6
"""From `updated_on`, Chicago local time, to `:updated_at`, UTC: the portal loads what the police release."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One month of crimes, or a whole dataset without months (`month` None), known by its numbers before its rows exist.

    `rows` and `newest` (the greatest `:updated_at`) are exact; `load` gives the rows, ordered by `:id`.
    """

    month: str | None
    rows: int
    newest: str
    load: Callable[[], pa.Table]

    @property
    def bounds(self) -> dict[str, tuple[str, str]]:
        """Column -> smallest and greatest value that a row of this partition may have, both included."""
        if self.month is None:
            return {}
        year, month = map(int, self.month.split("-"))
        first, last = f"{self.month}-01", f"{self.month}-{calendar.monthrange(year, month)[1]:02d}"
        return {"date": (f"{first}T00:00:00.000", f"{last}T23:59:59.999"), ":updated_at": (f"{first}T00:00:00.000Z", self.newest)}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Column types in the portal's order, and the partitions, oldest first."""

    types: Mapping[str, str]
    partitions: Callable[[], Iterator[Partition]]


def point_json(longitude: pa.Array, latitude: pa.Array) -> pa.Array:
    """GeoJSON points as raw JSON text; null where a coordinate is null."""
    return pc.binary_join_element_wise('{"type":"Point","coordinates":[', longitude, ",", latitude, "]}", "")


def published(local: pa.Array) -> pa.Array:
    """`:updated_at` of rows with this `updated_on`."""
    later = pc.add(local.cast(pa.timestamp("ms")), pa.scalar(PUBLICATION_HOURS * 3_600_000, pa.duration("ms")))
    return pc.binary_join_element_wise(iso_texts(later), "Z", "")


def iso_texts(moments: pa.Array) -> pa.Array:
    """Timestamps as the portal writes them: 2017-11-26T23:53:00.000."""
    return pc.replace_substring(moments.cast(pa.timestamp("ms")).cast(pa.string()), " ", "T")


def replace_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The table with other values in one of its columns."""
    return table.set_column(table.column_names.index(name), name, values)


def render_rows(table: pa.Table, types: Mapping[str, str]) -> bytes:
    """The rows as the portal's JSON array: one object a line, keys with null values left out."""
    if table.num_rows == 0:
        return b"[]\n"
    members = [_members(name, table[name], types[name]) for name in table.column_names]
    objects = pc.binary_join_element_wise(*members, ",", null_handling="skip")
    return b"[{" + "}\n,{".join(objects.to_pylist()).encode() + b"}]\n"


def _members(name: str, column: pa.ChunkedArray, soda_type: str) -> pa.ChunkedArray:
    key = json.dumps(name)
    if soda_type in UNQUOTED:
        return pc.binary_join_element_wise(f"{key}:", column.cast(pa.string()), "")
    return pc.binary_join_element_wise(f'{key}:"', _escaped(column), '"', "")


def _escaped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pc.any(pc.match_substring_regex(column, r'[\x00-\x1f"\\]')).as_py():
        return column
    escaped: dict[Any, str] = {text: json.dumps(text)[1:-1] for text in pc.unique(column.drop_null()).to_pylist()}
    return pa.chunked_array([pa.array([escaped.get(text) for text in column.to_pylist()], pa.string())])
