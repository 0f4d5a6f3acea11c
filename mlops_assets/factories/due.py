"""Which hour of a forecasting system is complete, and what is due for it. Reads the stores only, so that it needs no event log."""

from dataclasses import dataclass
from datetime import datetime

from mlops_assets.domain import ForecastDomain, Hourly
from mlops_assets.hours import HOUR, hour_key, hour_of
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.warehouse_resource import WarehouseResource


@dataclass(frozen=True, slots=True)
class Due:
    """What a complete hour still lacks."""

    hour: str
    """Its partition key."""
    version: str
    """The data version of its enriched rows."""
    training: bool
    """Whether the candidates are to be compared."""
    forecast: bool
    """Whether the champion has not forecast from these rows yet."""
    frozen_since: datetime | None = None
    """Since when (UTC) no series has moved; then neither is due."""


def due(domain: ForecastDomain, warehouse: WarehouseResource, lake: LakeResource, now: datetime) -> Due | None:
    """What is due at `now` (UTC) for the newest hour that has ended and is stored; None if the feed has been silent for too long."""
    found = _newest(domain, warehouse, now)
    if found is None:
        return None
    hour, version = found
    forecast = not _published(domain, warehouse, lake, hour, version)
    training = not _trained(domain, warehouse, hour)
    since = _frozen_since(domain, warehouse, hour) if forecast or training else None
    return Due(hour, version, training and since is None, forecast and since is None, since)


def hourly(domain: ForecastDomain) -> Hourly:
    """The system's cadence. TypeError if it is not hourly, which forecasting needs."""
    if not isinstance(domain.cadence, Hourly):
        raise TypeError(f"{domain.name} forecasts, so its cadence is Hourly")
    return domain.cadence


def _newest(domain: ForecastDomain, warehouse: WarehouseResource, now: datetime) -> tuple[str, str] | None:
    last = hour_of(hour_key(now)) - HOUR
    stored = warehouse.stamps(f"{domain.name}/enriched", _hours_until(last, domain.silent_hours))
    return max((hour, stamp.data_version) for hour, stamp in stored.items()) if stored else None


def _hours_until(last: datetime, count: int) -> list[str]:
    return [hour_key(last - back * HOUR) for back in reversed(range(count))]


def _published(domain: ForecastDomain, warehouse: WarehouseResource, lake: LakeResource, hour: str, version: str) -> bool:
    """Whether the hour's predictions were made from a series that holds this version of the hour's rows."""
    published = warehouse.stamp(f"{domain.name}/predictions", hour)
    series = lake.stamp(f"{domain.name}/series", hour)
    return (
        published is not None
        and series is not None
        and published.lineage.get(f"{domain.name}/series", {}).get(hour) == series.data_version
        and series.lineage.get(f"{domain.name}/enriched", {}).get(hour) == version
    )


def _trained(domain: ForecastDomain, warehouse: WarehouseResource, hour: str) -> bool:
    """Whether the candidates were compared for this hour, or for one not long before it."""
    hours = _hours_until(hour_of(hour), hourly(domain).training_hours)
    return bool(warehouse.stamps(f"{domain.name}/candidate_metrics", hours))


def _frozen_since(domain: ForecastDomain, warehouse: WarehouseResource, hour: str) -> datetime | None:
    from mlops_assets.ml.forecast.panel import frozen_since
    from mlops_assets.storage.warehouse.frames import to_frame

    table = domain.table(domain.observations)
    columns = (domain.time_column, domain.id_column, domain.target)
    found = warehouse.querying(table).query(
        f"SELECT {', '.join(columns)} FROM {table.name} WHERE {domain.time_column} BETWEEN :first AND :last",  # noqa: S608  # declared names
        first=hour_of(hour) - (hourly(domain).window - 1) * HOUR,
        last=hour_of(hour),
    )
    return frozen_since(to_frame(found), last=hour_of(hour), frozen_hours=domain.frozen_hours, columns=columns)
