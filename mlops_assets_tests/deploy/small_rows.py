"""A few days of every table that Grafana reads, in a warehouse: what the pipeline writes, at a size for tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from mlops_assets.domain import Domain, ForecastDomain, Hourly, Table
from mlops_assets.factories.monitoring import first_moment
from mlops_assets.hours import hour_key
from mlops_assets.monitoring import MODEL_VERSIONS, PARTITION_ROWS, monitored_tables
from mlops_assets.storage.warehouse import Warehouse, arrow_schema

END = datetime(2022, 2, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS = 3
SERIES = {"note-a": "Atotxa", "note-b": "Boulevard", "note-c": "Cataluña", None: None}
GAP = (20, 21)
"""Hours before the end without a reading."""
FORECASTS = 30
"""Run hours that forecast."""

Rows = list[dict[str, Any]]


def fill(warehouse: Warehouse, domains: Sequence[Domain], end: datetime = END, *, frozen_for: int = 0, mase: float = 0.9) -> None:
    """Writes rows of all tables up to the hour before `end`; in the last `frozen_for` hours nothing moves. `mase` is the
    error of what forecasts."""
    rows: dict[str, Rows] = {table.name: [] for table in monitored_tables(domains)}
    for domain in domains:
        rows[MODEL_VERSIONS.name] += _versions(domain, end)
        rows[PARTITION_ROWS.name] += _partitions(domain, end)
        if isinstance(domain, ForecastDomain):
            rows |= _forecasting(domain, end, frozen_for, mase)
        for table in domain.tables:
            if any(column.name == "reason" for column in table.columns):
                rows[table.name] = [{"reason": reason, **_place(table, end)} for reason in ("empty", "empty", "cut")]
    for table in monitored_tables(domains):
        # One write for all partitions: this is not about writing.
        warehouse.write(replace(table, mode="append"), pa.Table.from_pylist(rows[table.name], schema=arrow_schema(table)))


def _place(table: Table, end: datetime) -> dict[str, Any]:
    """The columns that say which partition a row is of."""
    kinds = {column.name: column.type for column in table.columns}
    names = {table.partition_column, table.day_column} - {""}
    return {name: end - HOUR if kinds[name] == "timestamp" else 1 for name in names}


def _versions(domain: Domain, end: datetime) -> Rows:
    return [
        {
            "system": domain.name,
            "model": domain.model_name,
            "version": version,
            "registered_at": end - timedelta(days=4 - version),
            "partition": "2022-01",
            "candidate": "one",
            "aliases": "champion" if version == 2 else "",
            "is_champion": version == 2,
            "is_challenger": False,
            "was_champion": version != 3,
            "metric": metric,
            "value": 0.5 + version / 10,
            "is_gate": metric == domain.gates.metric,
            "run_id": "r",
        }
        for version in (1, 2, 3)
        for metric in (domain.gates.metric, "another")
    ]


def _partitions(domain: Domain, end: datetime) -> Rows:
    keys = [hour_key(end - number * HOUR) for number in (1, 2)] if isinstance(domain.cadence, Hourly) else ["2021-12", "2022-01"]
    return [
        {"system": domain.name, "stage": stage, "partition": key, "starts_at": first_moment(domain.cadence, key), "row_count": 7}
        for stage in ("raw_rows", "rejected_rows", "enriched")
        for key in keys
    ]


def _forecasting(domain: ForecastDomain, end: datetime, frozen_for: int, mase: float) -> dict[str, Rows]:
    hours = [end - number * HOUR for number in range(DAYS * 24, 0, -1) if number not in GAP]
    values = {
        (key, hour): float(_value(number, end - (frozen_for + 1) * HOUR if hour >= end - frozen_for * HOUR else hour))
        for number, key in enumerate(SERIES)
        for hour in hours
    }
    observed = [
        {
            **{"hour": hour, "parking_id": key, "name": name, "free": int(values[key, hour]), "total": 500},
            **{"readings": 2, "parkings": 3 if key is None else 1, "clipped": 0},
        }
        for key, name in SERIES.items()
        for hour in hours
    ]
    said = [
        {
            **{"created_at": run, "timestamp": run + horizon * HOUR, "horizon": horizon, "parking_id": key, "model_version": "2"},
            **{"yhat": 100.0 + horizon, "yhat_lower": 90.0, "yhat_upper": 150.0},
        }
        for run in (end - number * HOUR for number in range(FORECASTS))
        for key in SERIES
        for horizon in range(1, domain.horizon + 1)
    ]
    scored = [
        {
            **row,
            "actual": actual,
            "absolute_error": abs(row["yhat"] - actual),
            "is_within": row["yhat_lower"] <= actual <= row["yhat_upper"],
        }
        for row in said
        if (actual := values.get((row["parking_id"], row["timestamp"]))) is not None
    ]
    runs = [
        {
            **{"run_at": end - number * HOUR, "train_points": 70, "mae": 12.0, "mase": mase, "cutoffs": 4, "model_desc": "as it is"},
            **{"method": "last_value", "model_version": "2"},
        }
        for number in range(FORECASTS)
    ]
    compared = [
        {
            "run_at": end - number * HOUR,
            "method": method,
            "mae": 12.0,
            "mase": 0.9,
            "cutoffs": 4,
            "points": 96,
            "is_winner": method == "theta",
        }
        for number in (0, 6, 12)
        for method in ("last_value", "theta")
    ]
    named = {"predictions": said, "forecast_accuracy": scored, "model_metrics": runs, "candidate_metrics": compared}
    return {**named, domain.observations: observed}


def _value(number: int, hour: datetime) -> int:
    """`note-c` never moves."""
    return 40 if number == 2 else 100 + number * 10 + int((hour - END) / HOUR) % 24
