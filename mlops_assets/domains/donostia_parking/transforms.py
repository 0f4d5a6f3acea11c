"""From the feed's payloads to readings of car parks, and from these to the hourly series. Pure: no I/O, no environment, no Dagster.

Here belongs what the feed's values mean. What makes a frame acceptable belongs to `schema`. A car park is its `noteId`: names change.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.domain import Table
from mlops_assets.domains.donostia_parking.spec import HOURLY_PARKING, RAW_PARKING, REJECTS

if TYPE_CHECKING:
    from pyproj import Transformer

TEXT = pd.StringDtype("pyarrow")
TIME = pd.DatetimeTZDtype("us", "UTC")

READING_TYPES: dict[Any, Any] = {"reading": TEXT, "captured_at": TIME, "server_date": TIME, "features": "int64", "body": TEXT}
"""Columns of an hour's readings and their types; times are UTC."""
COLUMN_TYPES: dict[str, Any] = {"string": TEXT, "double": "float64", "long": "Int64", "timestamp": TIME}

WHOLE = re.compile(r"-?[0-9]+(\.0+)?")
THOUSANDS = re.compile(r"-?[1-9][0-9]{0,2}(\.[0-9]{3})+")
"""As people in Spain write whole numbers: `1.234` is more than a thousand, and so is `1.000`."""
LARGEST = 100_000
"""No car park has as many spaces."""
FEED_CRS, DEGREES = "EPSG:25830", "EPSG:4326"
LATITUDES, LONGITUDES = (43.1, 43.5), (-2.3, -1.7)
"""Donostia and what is around it, degrees."""

NO_FEATURE = "not a feature with properties"
NO_ID = "no noteId"
TWICE = "noteId stands twice in the reading"
NO_TEXT = "nombre is no text"
ELSEWHERE = "coordinates are not near Donostia"


def reading_frame(readings: Iterable[tuple[str, datetime, datetime | None, str]]) -> pd.DataFrame:
    """Readings (name, time of capture, the server's time, payload as text; times in UTC) as the raw frame, one row a reading.

    KeyError or ValueError for a payload that is no FeatureCollection.
    """
    rows = [(name, captured, server, len(json.loads(body)["features"]), body) for name, captured, server, body in readings]
    return pd.DataFrame(rows, columns=list(READING_TYPES)).astype(READING_TYPES)


def parse_readings(readings: pd.DataFrame, hour: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """An hour's readings as rows of the tables `RAW_PARKING` and `REJECTS`, in the order of capture.

    A feature that is no car park is a row of the second one, with the first of its faults as the reason: no noteId, one that stands in
    the reading already, a name that is no text, a count that is no whole number (`whole_number`), coordinates elsewhere. Without a name,
    a count, a total or coordinates it is a car park still, with nulls there.
    """
    parkings: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    columns = readings.sort_values("captured_at")[["reading", "captured_at", "body"]]
    for name, captured_at, body in columns.itertuples(index=False, name=None):
        seen: set[str] = set()
        for number, feature in enumerate(json.loads(body)["features"]):
            common = {"timestamp": captured_at, "hour": hour}
            try:
                parking = _parking(feature)
                if parking["parking_id"] in seen:
                    raise ValueError(TWICE)
            except ValueError as fault:
                text = json.dumps(feature)
                rejected.append({**common, "reading": name, "feature_number": number, "reason": str(fault), "feature": text})
                continue
            seen.add(parking["parking_id"])
            parkings.append({**common, **parking})
    return _as_rows_of(RAW_PARKING, parkings), _as_rows_of(REJECTS, rejected)


def hourly_rows(parkings: pd.DataFrame) -> pd.DataFrame:
    """Rows of `RAW_PARKING` of one hour as rows of `HOURLY_PARKING`: each car park, and their sum, the city, last.

    What counts is a car park's last reading with a count; one without any in the hour has no row. The city is the sum of the car parks
    that report in the hour, and `parkings` says how many these are: one that has disappeared lowers the sum, and nothing stands in for it.
    No rows where none reports. A negative count is 0 here.
    """
    counted = parkings[parkings["free"].notna()].sort_values("timestamp", kind="stable")
    last: dict[str, dict[Any, Any]] = {}
    readings: Counter[str] = Counter()
    for reading in counted.to_dict("records"):
        last[reading["parking_id"]] = reading
        readings[reading["parking_id"]] += 1
    if not last:
        return _as_rows_of(HOURLY_PARKING, [])
    rows = [
        {
            **{column: reading[column] for column in ("hour", "parking_id", "name", "total")},
            "free": max(0, reading["free"]),
            "readings": readings[identity],
            "parkings": 1,
            "clipped": int(reading["free"] < 0),
        }
        for identity, reading in sorted(last.items())
    ]
    totals = [row["total"] for row in rows if row["total"] is not pd.NA]
    city = {
        "hour": rows[0]["hour"],
        "free": sum(row["free"] for row in rows),
        "total": sum(totals) if totals else None,
        "readings": counted["timestamp"].nunique(),
        "parkings": len(rows),
        "clipped": sum(row["clipped"] for row in rows),
    }
    return _as_rows_of(HOURLY_PARKING, [*rows, city])


def whole_number(value: Any) -> int | None:
    """A count as the feed writes it: a number, or text such as `129`, ` 7 `, `12.0` and `1.234`, which is 1234; null and "" are null.

    ValueError for anything else.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if THOUSANDS.fullmatch(text):
            number = int(text.replace(".", "")) if len(text) < 20 else LARGEST + 1
        elif WHOLE.fullmatch(text):
            number = int(text.partition(".")[0][:20])
        else:
            raise ValueError("no whole number")
    elif isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError("no whole number")
    else:
        number = int(value)
    if abs(number) > LARGEST:
        raise ValueError(f"beyond {LARGEST}")
    return number


def _parking(feature: Any) -> dict[str, Any]:
    """A feature as a row of `RAW_PARKING`, but for the reading's times; ValueError says what is wrong with it."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        raise ValueError(NO_FEATURE)
    identity, name = properties.get("noteId"), properties.get("nombre")
    if not (isinstance(identity, str) and _is_storable(identity) and identity.strip()):
        raise ValueError(NO_ID)
    if name is not None and not (isinstance(name, str) and _is_storable(name)):
        raise ValueError(NO_TEXT)
    counts = {column: _count(properties, key) for column, key in (("free", "libres"), ("total", "plazasRotatorias"))}
    latitude, longitude = _place(feature.get("geometry"))
    return {"parking_id": identity.strip(), "name": name, **counts, "lat": latitude, "lon": longitude}


def _count(properties: Mapping[str, Any], name: str) -> int | None:
    try:
        return whole_number(properties.get(name))
    except ValueError as fault:
        raise ValueError(f"{name} is {fault}") from None


def _place(geometry: Any) -> tuple[float | None, float | None]:
    """Latitude and longitude in degrees of a point in metres (EPSG:25830); nothing for a feature without geometry."""
    if geometry is None:
        return None, None
    try:
        x, y = geometry["coordinates"][:2]
        latitude, longitude = _degrees(x, y)
    except (TypeError, ValueError, KeyError, OverflowError):
        raise ValueError(ELSEWHERE) from None
    if not (LATITUDES[0] <= latitude <= LATITUDES[1] and LONGITUDES[0] <= longitude <= LONGITUDES[1]):
        raise ValueError(ELSEWHERE)
    return latitude, longitude


@cache
def _degrees(x: float, y: float) -> tuple[float, float]:
    """A car park does not move, so each place is computed once; to the tenth of a millimetre, which is the same on every machine."""
    longitude, latitude = _transformer().transform(float(x), float(y))
    return round(latitude, 9), round(longitude, 9)


@cache
def _transformer() -> "Transformer":
    from pyproj import Transformer

    return Transformer.from_crs(FEED_CRS, DEGREES, always_xy=True)


def _is_storable(text: str) -> bool:
    """Whether every store can hold it: no NUL, no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _as_rows_of(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    types = {column.name: COLUMN_TYPES[column.type] for column in table.columns}
    return pd.DataFrame({name: pd.array([row.get(name) for row in rows], dtype=kind) for name, kind in types.items()})
