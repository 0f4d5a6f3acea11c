"""Checks on Donostia's readings and series: that the feed lives, is of now, is plausible, is complete, and moves.

Those that block stop what is downstream; the others warn, because the feed is often wrong and nothing better is to be had.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domains.donostia_parking.spec import CADENCE, DONOSTIA_PARKING
from mlops_assets.factories.checks import accepted
from mlops_assets.factories.keys import asset_key
from mlops_assets.factories.reports import table
from mlops_assets.hours import HOUR, hour_key, hour_of
from mlops_assets.partitions import partitions_of
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.warehouse_resource import WarehouseResource

if TYPE_CHECKING:
    from pandas import DataFrame as Frame

    from mlops_assets.storage.warehouse import Warehouse
else:
    Frame = Warehouse = Any

Evaluations = Iterator[dg.AssetCheckEvaluation | dg.Output[None]]

LARGEST_SKEW = timedelta(minutes=5)
"""Between the server's clock and ours."""
WINDOW = timedelta(hours=CADENCE.window)
ALIVE = """
SELECT hour, count(*) AS features, count(DISTINCT CASE WHEN free IS NOT NULL THEN timestamp END) AS alive FROM raw_parking
WHERE hour >= :first AND hour <= :last GROUP BY hour
"""
PLAUSIBLE = """
SELECT hour, sum(CASE WHEN free < 0 THEN 1 ELSE 0 END) AS negative, sum(CASE WHEN free > total THEN 1 ELSE 0 END) AS above,
sum(CASE WHEN free IS NULL THEN 1 ELSE 0 END) AS missing FROM raw_parking
WHERE hour >= :first AND hour <= :last GROUP BY hour
"""
REJECTED = """
SELECT hour, reason, count(*) AS features FROM parking_rejects
WHERE hour >= :first AND hour <= :last GROUP BY hour, reason ORDER BY hour, reason
"""
REPORTING = """
SELECT hour, parking_id, name FROM hourly_parking
WHERE parking_id IS NOT NULL AND hour <= :last
AND hour >= (SELECT coalesce(max(hour), :first) FROM hourly_parking WHERE hour < :first AND hour >= :oldest)
"""
HISTORY = "SELECT hour, parking_id, name, free FROM hourly_parking WHERE hour > :first AND hour <= :last"


@dataclass(frozen=True, slots=True)
class Observed:
    """What a check finds in an hour: what is wrong, if anything, and what to show."""

    hour: str
    fault: str = ""
    shown: Mapping[str, Any] = field(default_factory=dict)


def readings_have_the_feed_shape(readings: Frame, hour: str) -> Observed:
    """Columns and types; readings captured in this hour, each once, none without features."""
    from mlops_assets.domains.donostia_parking.schema import validate_readings

    finding = accepted(readings, lambda frame: validate_readings(frame, hour))
    return Observed(hour, "" if finding.holds else finding.text, {"readings": finding.rows, **finding.counts})


def readings_are_fresh(readings: Frame, hour: str) -> Observed:
    """Captured in the hour, while the server's clock showed about the same time."""
    first = hour_of(hour)
    elsewhere = int(((readings["captured_at"] < first) | (readings["captured_at"] >= first + HOUR)).sum())
    skews = (readings["server_date"] - readings["captured_at"]).dropna()
    skewed = skews[skews.abs() > LARGEST_SKEW]
    faults = [f"{elsewhere} readings were captured in another hour"] if elsewhere else []
    if len(skewed):
        minutes = skewed.iloc[skewed.abs().argmax()].total_seconds() / 60
        ahead = "ahead of" if minutes > 0 else "behind"
        faults.append(f"the server's clock is up to {abs(minutes):.0f} minutes {ahead} ours in {len(skewed)} readings")
    return Observed(hour, "; ".join(faults), {"readings": len(readings)})


def feed_is_alive(warehouse: Warehouse, hours: Sequence[str]) -> Iterator[Observed]:
    """At least one reading with a car park that has a count."""
    alive = {hour_key(row["hour"]): row["alive"] for row in _query(warehouse, ALIVE, hours)}
    for hour in hours:
        dead = "" if alive.get(hour) else "no reading has a car park with a count; rejected_features may say why"
        yield Observed(hour, dead, {"readings_with_counts": alive.get(hour, 0)})


def counts_are_plausible(warehouse: Warehouse, hours: Sequence[str]) -> Iterator[Observed]:
    """No count below zero, above the car park's total, or missing."""
    words = {"negative": "below zero", "above": "above the total", "missing": "missing"}
    for row in _query(warehouse, PLAUSIBLE, hours):
        counts = {what: int(row[what]) for what in words if row[what]}
        fault = ", ".join(f"{count} counts are {words[what]}" for what, count in counts.items())
        yield Observed(hour_key(row["hour"]), fault, counts)


def features_are_car_parks(warehouse: Warehouse, hours: Sequence[str]) -> Iterator[Observed]:
    """No feature had to be set aside."""
    by_hour: dict[str, dict[str, int]] = {hour: {} for hour in hours}
    for row in _query(warehouse, REJECTED, hours):
        by_hour.get(hour_key(row["hour"]), {})[row["reason"]] = row["features"]
    for hour, reasons in by_hour.items():
        yield Observed(hour, ", ".join(f"{reason} ({count})" for reason, count in reasons.items()), reasons)


def the_same_parkings_report(warehouse: Warehouse, hours: Sequence[str]) -> Iterator[Observed]:
    """For each hour, who is gone, new or renamed against the stored hour before it, which may be in the window of four weeks."""
    first, last = hour_of(hours[0]), hour_of(hours[-1])
    rows = warehouse.query(REPORTING, first=first, last=last, oldest=first - WINDOW).to_pylist()
    by_hour: dict[str, dict[str, str]] = {}
    for row in sorted(rows, key=lambda row: row["hour"]):
        by_hour.setdefault(hour_key(row["hour"]), {})[row["parking_id"]] = row["name"] or "without a name"
    before: tuple[str, dict[str, str]] | None = None
    for hour, names in by_hour.items():
        if hour in hours:
            yield Observed(hour, _difference(names, *before) if before else "", {"parkings": len(names)})
        before = hour, names
    for hour in sorted(set(hours) - set(by_hour)):
        yield Observed(hour, "no car park reports", {"parkings": 0})


def feed_is_moving(warehouse: Warehouse, hours: Sequence[str]) -> Iterator[Observed]:
    """Whether the city and each car park have moved lately, as seen from the last of the hours.

    The city stands still if no car park has moved for `frozen_hours`; a car park is stuck if others have for `stuck_hours`.
    """
    from mlops_assets.ml.forecast.panel import frozen_since, stuck_ids

    domain, last = DONOSTIA_PARKING, hour_of(hours[-1])
    rows = warehouse.query(HISTORY, first=last - WINDOW, last=last).to_pandas()
    if rows.empty:
        return
    columns, frozen_hours = (domain.time_column, domain.id_column, domain.target), domain.frozen_hours
    history = rows[list(columns)]
    since = frozen_since(history, last=last, frozen_hours=frozen_hours, columns=columns)
    ids = stuck_ids(history, last=last, frozen_hours=frozen_hours, stuck_hours=domain.stuck_hours, columns=columns)
    stuck = _stuck(rows, [] if since else ids)
    faults = [f"no car park has moved since {_minute(since)} UTC"] if since else []
    faults += [f"{len(stuck)} car parks stand still while others move: {', '.join(stuck['name'])}"] if len(stuck) else []
    shown = ({"frozen_since": since.isoformat()} if since else {}) | ({"stuck": table(stuck)} if len(stuck) else {})
    yield Observed(hours[-1], "; ".join(faults), {"hours": int(rows["hour"].nunique()), **shown})


def _difference(names: Mapping[str, str], hour: str, before: Mapping[str, str]) -> str:
    parts = {
        "gone": [before[identity] for identity in before if identity not in names],
        "new": [names[identity] for identity in names if identity not in before],
        "renamed": [f"{old} to {names[identity]}" for identity, old in before.items() if names.get(identity, old) != old],
    }
    told = "; ".join(f"{what}: {', '.join(sorted(which))}" for what, which in parts.items() if which)
    return f"against {hour}, {told}" if told else ""


def _stuck(rows: Frame, ids: Sequence[str | None]) -> Frame:
    """The car parks [name, free, since (the first hour of that count)], which stand still at the end of `rows`."""
    import pandas as pd

    found = []
    for _, series in rows[rows["parking_id"].isin(ids)].sort_values("hour").groupby("parking_id", sort=False):
        free = series["free"].to_numpy()
        moved = (free != free[-1]).nonzero()[0]
        since = series["hour"].iloc[moved[-1] + 1 if len(moved) else 0]
        name = series["name"].iloc[-1]
        found.append(("without a name" if pd.isna(name) else name, int(free[-1]), _minute(since)))
    return pd.DataFrame(sorted(found, key=str), columns=["name", "free", "since"])


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _query(warehouse: Warehouse, sql: str, hours: Sequence[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = warehouse.query(sql, first=hour_of(hours[0]), last=hour_of(hours[-1])).to_pylist()
    return rows


def _spec(stage: str, name: str, description: str, *, blocking: bool = False) -> dg.AssetCheckSpec:
    asset, partitions = asset_key(DONOSTIA_PARKING, stage), partitions_of(DONOSTIA_PARKING.cadence)
    return dg.AssetCheckSpec(name, asset=asset, description=description, blocking=blocking, partitions_def=partitions)


def _hours(context: dg.AssetCheckExecutionContext, stored: Any) -> list[str]:
    return list(stored) if isinstance(stored, Partitioned) else [context.op_execution_context.partition_key]


def _evaluations(spec: dg.AssetCheckSpec, hours: Sequence[str], observed: Iterable[Observed]) -> Evaluations:
    """One for each hour in which something is wrong, and one for the last hour, which also says how many there are.

    A run of four weeks has seven checks of 672 hours each: an evaluation for each of them would cost more than all else.
    """
    for found in observed:
        if found.hour not in hours or not (found.fault or found.hour == hours[-1]):
            continue
        yield dg.AssetCheckEvaluation(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=not found.fault,
            severity=dg.AssetCheckSeverity.ERROR if spec.blocking else dg.AssetCheckSeverity.WARN,
            blocking=spec.blocking,
            partition=found.hour,
            description=f"{found.hour}: {found.fault}" if found.fault else None,
            metadata={**found.shown, "judged_hours": len(hours)},
        )


def _outputs(context: dg.AssetCheckExecutionContext) -> Iterator[dg.Output[None]]:
    """Dagster waits for the check's own outputs, which evaluations of partitions are not."""
    for name in context.op_execution_context.op_def.output_dict:
        yield dg.Output(None, output_name=name)


def _readings_checks(judges: Sequence[tuple[dg.AssetCheckSpec, Callable[[Frame, str], Observed]]]) -> dg.AssetChecksDefinition:
    """Checks on the readings, which are read once for all of them, an hour at a time."""
    asset = asset_key(DONOSTIA_PARKING, "raw_readings")
    specs = [spec for spec, _ in judges]

    @dg.multi_asset_check(name=f"{asset.to_python_identifier()}_checks", specs=specs, ins={"readings": dg.AssetIn(asset)})
    def check(context: dg.AssetCheckExecutionContext, readings: Any) -> Evaluations:
        hours = _hours(context, readings)
        observed: list[list[Observed]] = []
        for hour in hours:
            frame = readings[hour] if isinstance(readings, Partitioned) else readings
            observed.append([judge(frame, hour) for _, judge in judges])
        for spec, found in zip(specs, zip(*observed, strict=True), strict=True):
            yield from _evaluations(spec, hours, found)
        yield from _outputs(context)

    return check


def _table_check(spec: dg.AssetCheckSpec, observe: Callable[[Warehouse, Sequence[str]], Iterable[Observed]]) -> dg.AssetChecksDefinition:
    """A check that asks the warehouse about all hours of the run at once."""
    name = f"{spec.asset_key.to_python_identifier()}_{spec.name}"

    @dg.multi_asset_check(name=name, specs=[spec], ins={"rows": dg.AssetIn(spec.asset_key)})
    def check(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, rows: Any) -> Evaluations:
        hours = _hours(context, rows)
        yield from _evaluations(spec, hours, observe(warehouse.querying(*DONOSTIA_PARKING.tables), hours))
        yield from _outputs(context)

    return check


CHECKS: list[dg.AssetChecksDefinition] = [
    _readings_checks(
        [
            (
                _spec(
                    "raw_readings",
                    "readings_have_the_feed_shape",
                    "Readings captured in this hour, as received, each once and with features.",
                    blocking=True,
                ),
                readings_have_the_feed_shape,
            ),
            (
                _spec("raw_readings", "readings_are_fresh", "Captured in this hour, the server's clock within five minutes of ours."),
                readings_are_fresh,
            ),
        ]
    ),
    _table_check(
        _spec("raw_parking", "feed_is_alive", "At least one reading with a car park that has a count.", blocking=True), feed_is_alive
    ),
    _table_check(
        _spec("raw_parking", "counts_are_plausible", "No count is negative, above the car park's total, or missing."), counts_are_plausible
    ),
    _table_check(_spec("rejected_features", "features_are_car_parks", "No feature had to be set aside."), features_are_car_parks),
    _table_check(
        _spec("enriched", "the_same_parkings_report", "The car parks of the stored hour before, under the same names."),
        the_same_parkings_report,
    ),
    _table_check(
        _spec(
            "enriched",
            "feed_is_moving",
            f"Some car park has moved in the last {DONOSTIA_PARKING.frozen_hours} observed hours, and each in the last "
            f"{DONOSTIA_PARKING.stuck_hours}. Judged for the last hour of a run.",
        ),
        feed_is_moving,
    ),
]
