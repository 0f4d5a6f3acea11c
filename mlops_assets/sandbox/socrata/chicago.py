"""Generated Chicago crimes: any month since 2001 with the rates, codes, places and dirt of the real portal, deterministic by seed.

Here belongs how one month's rows come to be. `city` holds what all months share, `tables` says what a row is on the wire.
"""

import calendar
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import cache, lru_cache
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyproj import Transformer

from mlops_assets.sandbox.socrata.city import City, Integers
from mlops_assets.sandbox.socrata.tables import CRIME_TYPES, NOT_FOUND_POINT, PUBLICATION_HOURS, Partition, iso_texts, point_json, published

FIRST_YEAR = 2001
FIRST_ID, IDS_PER_MONTH = 1_300_000, 50_000
CASE_LETTERS = "ABCDEFGHJKLMNPRSTVWXYZ"
"""Case numbers start with two of them, the next pair every year: HZ is 2016, JA is 2017."""
PUBLISHED_AT = np.timedelta64(15 * 3600 + 50 * 60, "s")
"""Time of day of the portal's daily update."""
DELAY = np.timedelta64(7, "D")
"""The portal shows no crime before it is a week old."""
REVISED = 0.16
"""Share of rows updated once more after their first publication."""

NO_COORDINATES, NOT_FOUND, NO_LOCATION, ODD_LOCATION, NO_WARD, SAME_CASE = 0.0104, 0.0002, 0.0037, 0.003, 0.0001, 0.0002
"""Shares of rows with each kind of dirt."""
ODD_SPELLINGS = {
    "RESIDENCE PORCH/HALLWAY": "RESIDENCE - PORCH / HALLWAY",
    "RESIDENTIAL YARD (FRONT/BACK)": "RESIDENCE - YARD (FRONT / BACK)",
    "PARKING LOT/GARAGE(NON.RESID.)": "PARKING LOT / GARAGE (NON RESIDENTIAL)",
    "SCHOOL, PUBLIC, BUILDING": "SCHOOL - PUBLIC BUILDING",
    "STREET": "Street ",
    "APARTMENT": "APARTMENT ",
}

Moments = NDArray[np.datetime64]


class GeneratedCrimes:
    """The months of a city that exists only here; the same seed gives the same city, months and rows.

    `rows_per_month` None follows the real seasons, about 22,000 rows a month. A few months stay in memory.
    """

    def __init__(self, seed: int, rows_per_month: int | None = None) -> None:
        if rows_per_month is not None and not 1 <= rows_per_month <= IDS_PER_MONTH:
            raise ValueError(f"rows_per_month is {rows_per_month}; it must lie between 1 and {IDS_PER_MONTH}")
        self._seed = seed
        self._rows_per_month = rows_per_month
        self._city = City(seed)
        self._to_degrees = Transformer.from_crs("EPSG:3435", "EPSG:4326")
        self._lock = Lock()
        self._partition = cache(self._describe)
        self._cached_rows = lru_cache(maxsize=4)(self._generate)

    def partitions(self, today: date) -> Iterator[Partition]:
        """The complete months before `today`, oldest first. No row is generated for it."""
        for year in range(FIRST_YEAR, today.year + 1):
            for month in range(1, 13 if year < today.year else today.month):
                yield self._partition(year, month)

    def _describe(self, year: int, month: int) -> Partition:
        return Partition(
            month=f"{year}-{month:02d}",
            rows=self._row_count(year, month),
            newest=f"{_last_update(year, month) + np.timedelta64(PUBLICATION_HOURS, 'h')}.000Z",
            load=lambda: self._rows(year, month),
        )

    def _row_count(self, year: int, month: int) -> int:
        if self._rows_per_month is not None:
            return self._rows_per_month
        return round(self._city.months[month - 1] * np.random.default_rng([self._seed, year, month, 0]).normal(1, 0.015))

    def _rows(self, year: int, month: int) -> pa.Table:
        with self._lock:
            return self._cached_rows(year, month)

    def _generate(self, year: int, month: int) -> pa.Table:
        rng = np.random.default_rng([self._seed, year, month, 1])
        size = self._row_count(year, month)
        city = self._city
        pairs = city.draw_pairs(rng, size)
        codes = city.pair_codes[pairs]
        types = city.code_types[codes]
        hours, minutes = city.draw_hours(rng, types), city.draw_minutes(rng, size)
        blocks = city.draw_blocks(rng, types)
        when = self._moments(rng, year, month, hours, minutes)
        order = np.argsort(when + rng.exponential(3 * 86_400, size).astype("timedelta64[s]"))
        pairs, codes, blocks, when = pairs[order], codes[order], blocks[order], when[order]
        hours, minutes = hours[order], minutes[order]

        months_since_start = (year - FIRST_YEAR) * 12 + month - 1
        numbers = FIRST_ID + months_since_start * IDS_PER_MONTH + np.sort(rng.permutation(IDS_PER_MONTH)[:size])
        updated = _updates(rng, year, month, when)
        first_published = np.minimum(updated, when.astype("datetime64[D]") + DELAY + PUBLISHED_AT)
        updated_on = iso_texts(pa.array(updated))
        columns = {
            ":id": pa.array([f"row-{number:012d}" for number in numbers.tolist()]),
            ":created_at": published(iso_texts(pa.array(first_published))),
            ":updated_at": published(updated_on),
            "id": pa.array(numbers).cast(pa.string()),
            "case_number": _case_numbers(rng, year, month, size),
            "date": iso_texts(pa.array(when)),
            "block": _take(city.blocks, blocks),
            "iucr": _take(city.iucr, codes),
            "primary_type": _take(city.primary_types, codes),
            "description": _take(city.descriptions, codes),
            "location_description": self._location_descriptions(rng, pairs),
            "arrest": pa.array(rng.random(size) < city.arrest_probability(pairs, hours, minutes, blocks)),
            "domestic": pa.array(rng.random(size) < city.domestic_rates[codes]),
            "beat": _take(city.beats, city.block_beats[blocks]),
            "district": _take(city.districts, city.block_districts[blocks]),
            "ward": pa.array(city.block_wards[blocks], mask=rng.random(size) < NO_WARD).cast(pa.string()),
            "community_area": pa.array(city.block_community_areas[blocks]).cast(pa.string()),
            "fbi_code": _take(city.fbi_codes, codes),
            "year": pa.array(np.full(size, year)).cast(pa.string()),
            "updated_on": updated_on,
            **self._coordinates(rng, blocks),
        }
        return pa.table({name: columns[name] for name in CRIME_TYPES})

    def _moments(self, rng: np.random.Generator, year: int, month: int, hours: Integers, minutes: Integers) -> Moments:
        days = calendar.monthrange(year, month)[1]
        weekday = (date(year, month, 1).weekday() + np.arange(days)) % 7
        weights = self._city.weekday_weights[weekday] * np.where(np.arange(days) == 0, 1.2, 1.0)
        day = rng.choice(days, len(hours), p=weights / weights.sum())
        return np.datetime64(f"{year}-{month:02d}-01", "s") + (day * 86_400 + hours * 3600 + minutes * 60).astype("timedelta64[s]")

    def _location_descriptions(self, rng: np.random.Generator, pairs: Integers) -> pa.Array:
        names = self._city.locations
        spellings = [*names, *(ODD_SPELLINGS.get(name, name) for name in names)]
        odd = rng.random(len(pairs)) < ODD_LOCATION
        return _take(spellings, self._city.pair_locations[pairs] + len(names) * odd, rng.random(len(pairs)) < NO_LOCATION)

    def _coordinates(self, rng: np.random.Generator, blocks: Integers) -> dict[str, pa.Array]:
        """Feet and degrees of one of sixteen addresses in the block."""
        city, size = self._city, len(blocks)
        along = rng.integers(0, 16, size) / 16
        x = np.round(city.block_x[blocks] + along * city.block_step_x[blocks])
        y = np.round(city.block_y[blocks] + along * city.block_step_y[blocks])
        latitude, longitude = self._to_degrees.transform(x, y)
        values = {"x_coordinate": x, "y_coordinate": y, "latitude": latitude.round(9), "longitude": longitude.round(9)}
        not_found, missing = rng.random(size) < NOT_FOUND, rng.random(size) < NO_COORDINATES
        columns = {name: pa.array(np.where(not_found, NOT_FOUND_POINT[name], value), mask=missing) for name, value in values.items()}
        for name in ("x_coordinate", "y_coordinate"):
            columns[name] = columns[name].cast(pa.int64())
        texts = {name: column.cast(pa.string()) for name, column in columns.items()}
        return {**texts, "location": point_json(texts["longitude"], texts["latitude"])}


def _take(values: Sequence[str], positions: Integers, missing: NDArray[np.bool_] | None = None) -> pa.Array:
    return pc.take(pa.array(values, pa.string()), pa.array(positions, mask=missing))


def _case_numbers(rng: np.random.Generator, year: int, month: int, size: int) -> pa.Array:
    """Ascending through the year; now and then two crimes share one."""
    series = year - 2017 + CASE_LETTERS.index("J") * len(CASE_LETTERS)
    letters = CASE_LETTERS[series // len(CASE_LETTERS)] + CASE_LETTERS[series % len(CASE_LETTERS)]
    numbers = 100_000 + (month - 1) * IDS_PER_MONTH + np.arange(size)
    numbers -= (rng.random(size) < SAME_CASE) & (np.arange(size) > 0)
    return pa.array([f"{letters}{number}" for number in numbers.tolist()])


def _last_update(year: int, month: int) -> np.datetime64:
    """When a month's rows rest, unless somebody revises them: local time."""
    last_day = np.datetime64(datetime(year, month, calendar.monthrange(year, month)[1]), "D")
    last: np.datetime64 = (last_day + DELAY).astype("datetime64[s]") + PUBLISHED_AT
    return last


def _updates(rng: np.random.Generator, year: int, month: int, when: Moments) -> Moments:
    """`updated_on`: a week after the crime, for some rows later; the last row carries the month's last update."""
    last = _last_update(year, month)
    first = when.astype("datetime64[D]") + DELAY
    spare = (last.astype("datetime64[D]") - first).astype(np.int64)
    extra = np.where(rng.random(len(when)) < REVISED, np.floor(rng.random(len(when)) * (spare + 1)), 0)
    updated: Moments = (first + extra.astype("timedelta64[D]")).astype("datetime64[s]") + PUBLISHED_AT
    updated[-1] = last
    return updated
