"""What a forecasting system has stored, hour by hour: its observations, what was published of them, and how that came out.

Every query reads a window, so that what it costs does not grow with the tables. Times are UTC; an hour is its first moment, and a window
includes its first and excludes its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa

from mlops_assets.domain import ForecastDomain, Table
from mlops_assets.serving.champion import window_hours
from mlops_assets.serving.observations import NothingStoredError
from mlops_assets.settings import Settings
from mlops_assets.storage.warehouse import Warehouse, arrow_schema
from mlops_assets.storage.warehouse.frames import to_frame

PREDICTIONS, ACCURACY, METRICS = "predictions", "forecast_accuracy", "model_metrics"
"""The tables of every forecasting system."""
NAME, CAPACITY = "name", "total"
"""Columns of its observations that there may be: what people call a series, and the most that its value can be."""
HOUR = timedelta(hours=1)

STATE = """
SELECT MAX("{time}") AS newest, COUNT(*) AS row_count, COUNT("{target}") AS value_count, CAST(SUM("{target}") AS DOUBLE) AS value_sum
FROM {table} WHERE "{time}" >= :first AND "{time}" < :end"""
NAMES = """
SELECT "{id}" AS series, {name} AS name, MAX("{time}") AS newest FROM {table}
WHERE "{time}" >= :first AND "{time}" < :end GROUP BY "{id}", {name} ORDER BY newest"""
HISTORY = """
SELECT {columns} FROM {table} WHERE "{time}" >= :first AND "{time}" < :end ORDER BY "{time}" """
PUBLISHED = """
SELECT created_at, model_version, "{id}" AS series, "timestamp", horizon, yhat, yhat_lower, yhat_upper FROM {table}
WHERE created_at >= :first AND created_at <= :end
  AND created_at = (SELECT MAX(created_at) FROM {table} WHERE created_at >= :first AND created_at <= :end)
ORDER BY "timestamp" """
SCORES = """
SELECT "{key}" AS place, COUNT(*) AS points, SUM(absolute_error) AS error,
  COUNT(is_within) AS intervals, SUM(CASE WHEN is_within THEN 1 ELSE 0 END) AS hits
FROM {table} WHERE "timestamp" >= :first AND "timestamp" < :end AND {of_series} GROUP BY "{key}" ORDER BY "{key}" """
BACKTESTS = """
SELECT run_at, method, model_desc, model_version, train_points, mae, mase, cutoffs FROM {table}
WHERE run_at >= :first AND run_at <= :end ORDER BY run_at"""

Row = dict[str, Any]
Rows = list[Row]


@dataclass(frozen=True, slots=True)
class Window:
    """The hours from `first` on, before `end`."""

    first: datetime
    end: datetime


def hour_of(moment: datetime) -> datetime:
    """The first moment, UTC, of the hour that is running then."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def window_before(domain: ForecastDomain, moment: datetime) -> Window:
    """The complete hours that a forecast at that moment may rest on."""
    end = hour_of(moment)
    return Window(end - window_hours(domain) * HOUR, end)


@dataclass(frozen=True, slots=True)
class State:
    """What tells one stored window from another: new hours, new rows and new values change it."""

    newest: datetime
    rows: int
    values: int
    sum: float | None


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of a window, as the model takes them, and what the series are: id -> name and -> capacity; None: the total."""

    rows: pd.DataFrame
    newest: datetime
    names: Mapping[str | None, str]
    capacities: Mapping[str | None, float]


class StoredSeries:
    """Reads the warehouse of `settings`. Methods raise NothingStoredError where they say so, and whatever the warehouse raises."""

    def __init__(self, settings: Settings) -> None:
        self._warehouse_url = settings.warehouse_url

    def state(self, domain: ForecastDomain, window: Window) -> State:
        """NothingStoredError if the window has no row."""
        names = {"time": domain.time_column, "target": domain.target}
        (found,) = self._query(domain, domain.observations, STATE, names, first=window.first, end=window.end)
        if not found["row_count"]:
            raise _nothing(domain, window)
        return State(found["newest"], found["row_count"], found["value_count"], found["value_sum"])

    def history(self, domain: ForecastDomain, window: Window) -> Stored:
        """The observations of all series. NothingStoredError if the window has no row with a value."""
        table = domain.table(domain.observations)
        schema = _history_schema(domain, table)
        columns = ", ".join(f'"{name}"' for name in schema.names)
        sql = HISTORY.format(columns=columns, table=table.name, time=domain.time_column)
        rows = to_frame(self._warehouse(domain).query(sql, schema, first=window.first, end=window.end))
        if rows[domain.target].isna().all():
            raise _nothing(domain, window)
        newest = rows.drop_duplicates(domain.id_column, keep="last")
        ids = [_or_none(series) for series in newest[domain.id_column]]
        called = [_or_none(name) for name in newest[NAME]] if NAME in newest else ids
        return Stored(
            rows=rows[[domain.time_column, domain.id_column, domain.target]],
            newest=rows[domain.time_column].iloc[-1].to_pydatetime(),
            names=_named(domain, dict(zip(ids, called, strict=True))),
            capacities=dict(zip(ids, newest[CAPACITY].tolist(), strict=True)) if CAPACITY in newest else {},
        )

    def names(self, domain: ForecastDomain, window: Window) -> dict[str | None, str]:
        """The series that the window has: id -> what people call it now, the total first; none if nothing is stored."""
        has_names = NAME in arrow_schema(domain.table(domain.observations)).names
        columns = {"id": domain.id_column, "name": f'"{NAME if has_names else domain.id_column}"', "time": domain.time_column}
        rows = self._query(domain, domain.observations, NAMES, columns, first=window.first, end=window.end)
        return _named(domain, {row["series"]: row["name"] for row in rows})

    def published(self, domain: ForecastDomain, window: Window) -> Rows:
        """The forecasts of the window's last run hour, of all series, by hour; none if nothing was published."""
        return self._query(domain, PREDICTIONS, PUBLISHED, {"id": domain.id_column}, first=window.first, end=window.end)

    def scores(self, domain: ForecastDomain, key: str, series: str | None, window: Window) -> Rows:
        """Of the published forecasts for the window's hours, by the column `key`: points, error, intervals, hits."""
        of_series, value = (f'"{domain.id_column}" = :series', {"series": series}) if series else (f'"{domain.id_column}" IS NULL', {})
        names = {"key": key, "of_series": of_series}
        return self._query(domain, ACCURACY, SCORES, names, first=window.first, end=window.end, **value)

    def backtests(self, domain: ForecastDomain, window: Window) -> Rows:
        """What forecast in each run hour of the window, and how well it did in the back-test of the total."""
        return self._query(domain, METRICS, BACKTESTS, {}, first=window.first, end=window.end)

    def _query(self, domain: ForecastDomain, table: str, sql: str, names: Mapping[str, str], **values: Any) -> Rows:
        found: Rows = self._warehouse(domain).query(sql.format(table=domain.table(table).name, **names), **values).to_pylist()
        return found

    def _warehouse(self, domain: ForecastDomain) -> Warehouse:
        return Warehouse(self._warehouse_url.get_secret_value(), domain.tables)


def _history_schema(domain: ForecastDomain, table: Table) -> pa.Schema:
    """The columns that are read, in their types; values and capacities as float64."""
    stored = arrow_schema(table)
    fields = [stored.field(domain.time_column), stored.field(domain.id_column), pa.field(domain.target, pa.float64())]
    fields += [stored.field(NAME)] if NAME in stored.names else []
    fields += [pa.field(CAPACITY, pa.float64())] if CAPACITY in stored.names else []
    return pa.schema(fields)


def _named(domain: ForecastDomain, called: Mapping[str | None, str | None]) -> dict[str | None, str]:
    """The total first, though it may not be stored itself, then by name; a series that nobody named is called by its id."""
    names: dict[str | None, str] = {None: domain.total} if called else {}
    names |= {series: name or series for series, name in called.items() if series is not None}
    return dict(sorted(names.items(), key=lambda item: (item[0] is not None, item[1])))


def _or_none(text: Any) -> str | None:
    return None if pd.isna(text) else str(text)


def _nothing(domain: ForecastDomain, window: Window) -> NothingStoredError:
    table = domain.table(domain.observations).name
    hours = f"from {window.first:%Y-%m-%dT%H} to before {window.end:%Y-%m-%dT%H} (UTC)"
    return NothingStoredError(f"table {table} has no hour {hours}: ingest {domain.name} first")
