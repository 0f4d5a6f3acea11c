"""From the portal's rows to frames, and from raw frames to enriched ones. Pure: no I/O, no environment, no Dagster.

Here belongs what the portal's values mean. What makes a frame acceptable belongs to `schema`, features to `ml`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME, DAY_TIMES, SEASONS
from mlops_assets.ml.nearest import nearest_point
from mlops_assets.ml.request import LISTED_PROBLEMS, InvalidRecordsError, Problem

TEXT = pd.StringDtype("pyarrow")
FLAG = pd.BooleanDtype()

FLAGS = ("arrest", "domestic")
PLACE_COLUMNS = ("x_coordinate", "y_coordinate", "latitude", "longitude")
CRIME_COLUMNS = (*(field.name for field in CHICAGO_CRIME.request), "arrest", ":updated_at")
"""Columns of the raw crimes frame, in order: what the portal is asked for."""
STATION_COLUMNS = (
    "district",
    "district_name",
    "address",
    "city",
    "state",
    "zip",
    *PLACE_COLUMNS,
)
"""Columns of the raw police stations frame, in order."""

METRES_PER_FOOT = 1200 / 3937
"""The US survey foot."""
X_FEET = (1_080_000.0, 1_215_000.0)
Y_FEET = (1_800_000.0, 1_965_000.0)
"""EPSG:3435 box around Chicago with two miles to spare; the portal's "nowhere" is (0, 0)."""

DATE_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?$"
"""Local time; a zone suffix would mean another clock and is not read."""

MISSING_ID = "missing id"
DUPLICATE_ID = "duplicate id"
UNREADABLE_DATE = "unreadable date"
MISSING_ARREST = "missing arrest"
OUTSIDE_CHICAGO = "outside Chicago"
REASON_COLUMNS: Mapping[str, str] = {
    MISSING_ID: "id",
    DUPLICATE_ID: "id",
    UNREADABLE_DATE: "date",
    MISSING_ARREST: "arrest",
    OUTSIDE_CHICAGO: "x_coordinate",
}
"""Why a raw row is set aside, and the column that shows it; of several reasons the first counts."""

SEASON_OF_MONTH = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0])
"""Month 1..12 -> position in `SEASONS`; December to February is Winter."""


def raw_crimes_frame(pages: Iterable[list[dict[str, Any]]]) -> pd.DataFrame:
    """The portal's pages as the raw crimes frame, in numeric order of id, then of `:updated_at`; rows without a numeric id come last.

    Values stay as they came: text as `string[pyarrow]`, flags as nullable boolean, an absent key as NA; other keys are left out.
    No pages give an empty frame. ValueError names column, first value and count when JSON values have the wrong type.
    """
    table = _table(pages, CRIME_COLUMNS)
    keys = pa.table({"id": _numbers(table["id"].to_pandas()), "updated_at": table[":updated_at"], "case_number": table["case_number"]})
    return _frame(table.take(pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])))


def raw_stations_frame(pages: Iterable[list[dict[str, Any]]]) -> pd.DataFrame:
    """The portal's pages as the raw police stations frame, in numeric order of district, "Headquarters" last. All columns are text."""
    table = _table(pages, STATION_COLUMNS)
    keys = pa.table({"number": _numbers(table["district"].to_pandas()), "district": table["district"]})
    return _frame(table.take(pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])))


def reject_reasons(raw: pd.DataFrame) -> pd.Series:
    """Why each raw crime cannot be used (a key of `REASON_COLUMNS`), or NA: string[n].

    Of rows with one id the newest by `:updated_at` is kept. Rows without coordinates are usable; rows that the portal puts
    outside Chicago, or whose coordinates are no numbers, are not: where the place is wrong, the rest is in doubt.
    """
    ids = _numbers(raw["id"])
    newest_last = raw[":updated_at"].array.argsort(kind="stable", na_position="first")
    duplicate = np.empty(len(raw), dtype=bool)
    duplicate[newest_last] = pd.Series(ids[newest_last]).duplicated(keep="last")
    found = {
        MISSING_ID: ~np.isfinite(ids),
        DUPLICATE_ID: duplicate,
        UNREADABLE_DATE: _local_times(raw["date"]).isna().to_numpy(),
        MISSING_ARREST: raw["arrest"].isna().to_numpy(),
        OUTSIDE_CHICAGO: _places(raw)[1],
    }
    codes = np.select(list(found.values()), list(range(len(found))), default=-1)
    return pd.Series(_texts(list(found), codes), index=raw.index, name="reason")


def usable_rows(raw: pd.DataFrame) -> pd.DataFrame:
    """The raw crimes that have no reason to be rejected, in their order."""
    return raw[reject_reasons(raw).isna()].reset_index(drop=True)


def rejected_rows(raw: pd.DataFrame) -> pd.DataFrame:
    """The other raw crimes, with their `reason` as last column."""
    reasons = reject_reasons(raw)
    return raw.assign(reason=reasons)[reasons.notna()].reset_index(drop=True)


class CrimeEnricher:
    """Adds time, place and the nearest police station to raw crimes; holds the stations, so that it can travel inside a model.

    `districts`: names of the stations' districts, in numeric order; `sites`: float64[stations, 2], EPSG:3435 US survey feet.
    """

    def __init__(self, districts: Sequence[str], sites: np.ndarray) -> None:
        """Of equally near stations the earlier one wins."""
        self.districts = list(districts)
        self.sites = np.asarray(sites, dtype=np.float64)

    @classmethod
    def from_stations(cls, stations: pd.DataFrame) -> Self:
        """From the raw stations frame, without Headquarters and stations that have no coordinates. ValueError when none is left."""
        numbers = _numbers(stations["district"])
        points, misplaced = _places(stations)
        order = np.argsort(numbers, kind="stable")
        usable = order[~(np.isnan(numbers) | misplaced | np.isnan(points).any(axis=1))[order]]
        if not len(usable):
            raise ValueError(f"none of {len(stations)} police stations has a numeric district and coordinates in Chicago")
        return cls([str(district) for district in stations["district"].iloc[usable]], points[usable])

    def transform(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Raw crimes with the derived columns of the enriched frame; rows keep their order, `arrest` may be absent.

        Added are `occurred_at` (Chicago local time, naive), `x_ft`, `y_ft` (EPSG:3435 US survey feet), `nearest_station`,
        `station_distance_m` (metres), `season`, `day_time`, `day_of_week` (0 is Monday), `hour` and `minute`. Coordinates come from
        `x_coordinate` and `y_coordinate`, else from `latitude` and `longitude`, else place is NaN and NA. InvalidRecordsError names
        row, field and value of a date that cannot be read, and of coordinates that are no numbers or lie outside Chicago.
        """
        enriched = raw.reset_index(drop=True)
        if "arrest" in enriched:
            enriched["arrest"] = enriched["arrest"].astype(bool)
        times = _local_times(enriched["date"])
        _refuse(times.isna().to_numpy(), enriched, ["date"], "not a date like 2017-11-26T23:53:00.000")
        points, misplaced = _places(enriched)
        _refuse(misplaced, enriched, PLACE_COLUMNS, "not a place in Chicago")
        station, feet = nearest_point(points, self.sites)
        hour = times.dt.hour.to_numpy(np.int64)
        return enriched.assign(
            occurred_at=times,
            x_ft=points[:, 0],
            y_ft=points[:, 1],
            nearest_station=_texts(self.districts, station),
            station_distance_m=feet * METRES_PER_FOOT,
            season=_texts(SEASONS, SEASON_OF_MONTH[times.dt.month]),
            day_time=_texts(DAY_TIMES, hour // 6),
            day_of_week=times.dt.dayofweek.to_numpy(np.int64),
            hour=hour,
            minute=times.dt.minute.to_numpy(np.int64),
        )


def _table(pages: Iterable[list[dict[str, Any]]], columns: Sequence[str]) -> pa.Table:
    schema = pa.schema([(name, pa.bool_() if name in FLAGS else pa.large_string()) for name in columns])
    tables = [schema.empty_table()]
    for page in pages:
        try:
            tables.append(pa.Table.from_pylist(page, schema=schema))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ValueError(_wrong_types(page, columns)) from error
    return pa.concat_tables(tables)


def _wrong_types(page: list[dict[str, Any]], columns: Sequence[str]) -> str:
    faults = []
    for name in columns:
        kind = bool if name in FLAGS else str
        wrong = [value for row in page if (value := row.get(name)) is not None and not isinstance(value, kind)]
        if wrong:
            faults.append(f"{name} holds {wrong[0]!r:.80} and {len(wrong) - 1} more where {kind.__name__} is due")
    return f"wrong JSON types in a page of {len(page)} rows: {'; '.join(faults)}"


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.large_string(): TEXT, pa.bool_(): FLAG}.get)
    return frame


def _texts(values: Sequence[str], codes: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """`values[codes]` as text; code -1 is NA."""
    return pd.array(list(values), dtype=TEXT).take(codes, allow_fill=True)


def _numbers(values: pd.Series) -> np.ndarray:
    """Values as float64[n]; NaN where missing or no number."""
    try:
        # Many times faster than pandas, but a single value that is no number stops it.
        numbers: np.ndarray = pa.array(values, from_pandas=True).cast(pa.float64()).to_numpy(zero_copy_only=False)
        return numbers
    except pa.ArrowException:
        return pd.to_numeric(values.to_numpy(dtype=object), errors="coerce").astype(np.float64)


def _local_times(dates: pd.Series) -> pd.Series:
    """Portal dates as naive datetime64[us]; NaT where missing or unreadable."""
    texts = dates.astype(TEXT)
    readable = texts.str.match(DATE_PATTERN).fillna(False)
    times = pd.to_datetime(texts.where(readable.astype(bool)), format="ISO8601", errors="coerce")
    return times.astype("datetime64[us]")


def _places(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """EPSG:3435 feet, float64[n, 2], NaN where unknown; and whether coordinates are given but no place in Chicago, bool[n]."""
    points, unreadable = _pair(frame, "x_coordinate", "y_coordinate")
    absent = np.flatnonzero(np.isnan(points[:, 0]) & ~unreadable)
    if len(absent):
        degrees, unreadable[absent] = _pair(frame.iloc[absent], "longitude", "latitude")
        known = ~np.isnan(degrees[:, 0])
        if known.any():
            points[absent[known]] = np.column_stack(_to_feet(*degrees[known].T))
    inside = np.ones(len(frame), dtype=bool)
    for axis, (low, high) in enumerate((X_FEET, Y_FEET)):
        inside &= (points[:, axis] >= low) & (points[:, axis] <= high)
    return points, unreadable | (~inside & ~np.isnan(points[:, 0]))


def _pair(frame: pd.DataFrame, first: str, second: str) -> tuple[np.ndarray, np.ndarray]:
    """Two columns as float64[n, 2], NaN in both unless both are numbers; and which rows hold something that is no number."""
    pair = np.full((len(frame), 2), np.nan)
    unreadable = np.zeros(len(frame), dtype=bool)
    for axis, name in enumerate((first, second)):
        if name in frame:
            pair[:, axis] = _numbers(frame[name])
            unreadable |= np.isnan(pair[:, axis]) & frame[name].notna().to_numpy()
    pair[np.isnan(pair).any(axis=1)] = np.nan
    return pair, unreadable


def _to_feet(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _projection()(longitude, latitude)


@cache
def _projection() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:4326", "EPSG:3435", always_xy=True).transform


def _refuse(mask: np.ndarray, frame: pd.DataFrame, columns: Sequence[str], message: str) -> None:
    rows = np.flatnonzero(mask).tolist()
    if rows:
        problems = [_problem(frame, row, columns, message) for row in rows[:LISTED_PROBLEMS]]
        raise InvalidRecordsError(problems, total=len(rows), faulty=len(rows), records=len(frame))


def _problem(frame: pd.DataFrame, row: int, columns: Sequence[str], message: str) -> Problem:
    """The problem of the first of the columns that has a value, with the values of all that have one."""
    values = {name: frame[name].iloc[row] for name in columns if name in frame}
    given = {name: value for name, value in values.items() if pd.notna(value)} or values
    (field, first), *others = given.items()
    shown = ", ".join([f"{first!r:.80}", *(f"{name} {value!r:.80}" for name, value in others)])
    return Problem(row, field, f"{shown}: {message}")
