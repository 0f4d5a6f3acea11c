"""Raw and enriched Chicago crime: what differs from every other system, written out. The rest comes from the factories.

Every asset takes a range of months in one run, downloads or computes one month at a time, and passes over months that are current.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.factories.keys import artifact_asset, asset_key, frame_asset, partitions_in
from mlops_assets.factories.partitions import StoredPartitions, derived, store_partitions
from mlops_assets.factories.reports import column_lineage
from mlops_assets.resources.socrata import SocrataResource, UpstreamState
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.resource import LakeResource

if TYPE_CHECKING:
    from pandas import DataFrame as Frame

    from mlops_assets.domains.chicago_crime.transforms import CrimeEnricher

    Frames = Partitioned[Frame]
    Enrichers = Partitioned[CrimeEnricher]
else:
    Frames = Enrichers = Any

RAW_CRIMES = "chicago_crime/raw_crimes"
RAW_STATIONS = "chicago_crime/raw_police_stations"
ENRICHER = "chicago_crime/enricher"
TRANSFORMS = ("mlops_assets.domains.chicago_crime.transforms", "mlops_assets.ml.nearest")

PLACE = ("x_coordinate", "y_coordinate", "latitude", "longitude")
DERIVED_FROM = {
    **{column: (column,) for column in (*(field.name for field in CHICAGO_CRIME.request), CHICAGO_CRIME.target)},
    **dict.fromkeys(("occurred_at", "season", "day_of_week", "day_time", "hour", "minute"), ("date",)),
    **dict.fromkeys(("x_ft", "y_ft", "nearest_station", "station_distance_m"), PLACE),
}
"""Column of `enriched` -> the columns of `raw_crimes` it is made of."""


@frame_asset(
    CHICAGO_CRIME,
    "raw_crimes",
    "The month's crimes as the portal sends them, one row a record, ordered by id.",
    pool="socrata",
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def raw_crimes(context: dg.AssetExecutionContext, socrata: SocrataResource, lake: LakeResource) -> StoredPartitions:
    """Reads the portal; writes validated months. A month whose row count and newest change are the stored ones is not downloaded."""
    from mlops_assets.domains.chicago_crime.ingest import download_crimes, month_states

    months = list(context.partition_keys)
    with socrata.client() as client:
        states = month_states(client, months)
        crimes = Partitioned(
            months,
            compute=lambda month: download_crimes(client, month, states[month], stored_state(lake, RAW_CRIMES, month)),
            unchanged=lambda month: stored_state(lake, RAW_CRIMES, month) == states[month],
            note=lambda month: asdict(states[month]),
        )
        yield from store_partitions(context, crimes)


@frame_asset(
    CHICAGO_CRIME,
    "raw_police_stations",
    "The police stations as the portal lists them when the month is ingested.",
    pool="socrata",
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def raw_police_stations(context: dg.AssetExecutionContext, socrata: SocrataResource, lake: LakeResource) -> StoredPartitions:
    """Reads the portal once for all months of the run; not at all where the stored table is the portal's."""
    from mlops_assets.domains.chicago_crime.ingest import StationsDownload

    with socrata.client() as client:
        download = StationsDownload(client)
        stations = Partitioned(
            list(context.partition_keys),
            compute=lambda _: download.frame,
            unchanged=lambda month: stored_state(lake, RAW_STATIONS, month) == download.state,
            note=lambda _: asdict(download.state),
        )
        yield from store_partitions(context, stations)


@artifact_asset(
    CHICAGO_CRIME,
    "enricher",
    "Derives season, time and nearest station from a raw record; travels inside the model.",
    ins={"stations": partitions_in(CHICAGO_CRIME, "raw_police_stations")},
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def enricher(context: dg.AssetExecutionContext, lake: LakeResource, stations: Frames) -> StoredPartitions:
    """Reads the month's stations; writes what enriches records with them."""
    from mlops_assets.domains.chicago_crime.transforms import CrimeEnricher

    enrichers = derived(context, lake, lambda month: CrimeEnricher.from_stations(stations[month]), reads=[RAW_STATIONS], code=TRANSFORMS)
    yield from store_partitions(context, enrichers)


@frame_asset(
    CHICAGO_CRIME,
    "rejected_crimes",
    "Raw rows that cannot be used, each with its reason: counted and set aside, never dropped.",
    ins={"crimes": partitions_in(CHICAGO_CRIME, "raw_crimes")},
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def rejected_crimes(context: dg.AssetExecutionContext, lake: LakeResource, crimes: Frames) -> StoredPartitions:
    """Reads the month's raw crimes; writes their unusable rows with a column `reason`."""
    from mlops_assets.domains.chicago_crime.transforms import rejected_rows

    rejected = derived(context, lake, lambda month: rejected_rows(crimes[month]), reads=[RAW_CRIMES], code=TRANSFORMS)
    yield from store_partitions(context, rejected)


@frame_asset(
    CHICAGO_CRIME,
    "enriched",
    "The month's usable crimes with season, day and time, nearest police station and its distance in metres.",
    ins={"crimes": partitions_in(CHICAGO_CRIME, "raw_crimes"), "enrichers": partitions_in(CHICAGO_CRIME, "enricher")},
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def enriched(context: dg.AssetExecutionContext, lake: LakeResource, crimes: Frames, enrichers: Enrichers) -> StoredPartitions:
    """Reads the month's raw crimes and enricher; writes one row for each usable crime, ordered by id."""
    from mlops_assets.domains.chicago_crime.transforms import usable_rows

    rows = derived(
        context, lake, lambda month: enrichers[month].transform(usable_rows(crimes[month])), reads=[RAW_CRIMES, ENRICHER], code=TRANSFORMS
    )
    yield from store_partitions(context, rows, column_lineage(asset_key(CHICAGO_CRIME, "raw_crimes"), DERIVED_FROM))


def stored_state(lake: LakeResource, asset: str, month: str) -> UpstreamState | None:
    """The portal's state when the stored month was downloaded; None if it is not stored."""
    stamp = lake.stamp(asset, month)
    return UpstreamState(**stamp.note) if stamp and stamp.note else None


ASSETS = [raw_crimes, raw_police_stations, enricher, rejected_crimes, enriched]
