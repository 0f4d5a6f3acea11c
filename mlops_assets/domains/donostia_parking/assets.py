"""Raw and enriched Donostia parking: what differs from every other system, written out. The rest comes from the factories.

Every asset takes a range of hours in one run, and an hour without a reading is left out of it. A partition costs the same whatever came
before it: it reads its own readings only.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING, HOURLY_PARKING, RAW_PARKING, REJECTS
from mlops_assets.factories.code_version import code_digest
from mlops_assets.factories.keys import asset_key, frame_asset, partitions_in, table_asset
from mlops_assets.factories.partitions import StoredPartitions, store_partitions
from mlops_assets.factories.reports import column_lineage
from mlops_assets.resources.donostia_api import DonostiaResource
from mlops_assets.settings import Settings
from mlops_assets.storage.partitioned import GAPS_ALLOWED, Partitioned
from mlops_assets.storage.resource import LakeResource
from mlops_assets.storage.table_io_manager import table_metadata

if TYPE_CHECKING:
    from pandas import DataFrame as Frame

    from mlops_assets.domains.donostia_parking.ingest import Burst

    Frames = Partitioned[Frame]
else:
    Frames = Frame = Any

RAW_READINGS = "donostia_parking/raw_readings"
TRANSFORMS = tuple(f"mlops_assets.domains.donostia_parking.{module}" for module in ("ingest", "schema", "transforms"))

PARKING_FROM = {column.name: ("captured_at",) if column.type == "timestamp" else ("body",) for column in RAW_PARKING.columns}
"""Column of `raw_parking` -> the columns of `raw_readings` it is made of."""
REJECT_FROM = {
    **{column.name: ("captured_at",) if column.type == "timestamp" else ("body",) for column in REJECTS.columns},
    "reading": ("reading",),
}
"""The same for `rejected_features`."""
HOURLY_FROM = {
    **{name: (name, "timestamp") for name in ("hour", "parking_id", "name", "free", "total")},
    **dict.fromkeys(("readings", "parkings"), ("timestamp", "parking_id", "free")),
    "clipped": ("free",),
}
"""Column of `enriched` -> the columns of `raw_parking` it is made of."""


class BurstConfig(dg.Config):
    """How a run reads in the hour that is running."""

    burst_minutes: float | None = Field(
        default=None, ge=0, le=55, description="For how long it reads on; 0: one reading. DONOSTIA_BURST_MINUTES when unset."
    )
    burst_seconds: float | None = Field(
        default=None, gt=0, description="Seconds between the readings of a burst; DONOSTIA_BURST_SECONDS when unset."
    )

    def burst(self) -> "Burst":
        """The run's config, and the settings where it says nothing."""
        from mlops_assets.domains.donostia_parking.ingest import Burst

        settings = Settings()
        minutes = settings.donostia_burst_minutes if self.burst_minutes is None else self.burst_minutes
        return Burst(timedelta(minutes=minutes), timedelta(seconds=self.burst_seconds or settings.donostia_burst_seconds))


@frame_asset(
    DONOSTIA_PARKING,
    "raw_readings",
    "All readings of the feed captured in the hour, one row a reading, as received.",
    pool="donostia_api",
    backfill_policy=dg.BackfillPolicy.single_run(),
    output_required=False,
    metadata={GAPS_ALLOWED: True},
)
def raw_readings(
    context: dg.AssetExecutionContext, config: BurstConfig, donostia_api: DonostiaResource, lake: LakeResource
) -> StoredPartitions:
    """Reads the feed and lands what it gives; writes all readings landed so far. A reading that is landed is never lost.

    Of an hour that has ended an archive is asked for the last state. Where it has none, there is nothing to write, and that is no failure.
    """
    from mlops_assets.domains.donostia_parking.ingest import ReadingLanding, collect, raw_hour, require_landed

    landing, hours = ReadingLanding(lake.lake), list(context.partition_keys)
    before = {hour: lake.stamp(RAW_READINGS, hour) for hour in hours}  # not of a run that lands and stores meanwhile
    with donostia_api.client() as client:
        landed = collect(client, landing, hours, config.burst(), tell=context.log.info, warn=context.log.warning)
    if not landed:
        context.log.info(f"there is no reading of {hours[0]}" + (f" to {hours[-1]}" if len(hours) > 1 else ""))
        return
    require_landed({hour: before[hour] for hour in landed}, landed)
    digest = code_digest(*TRANSFORMS)

    def note(hour: str) -> dict[str, Any]:
        return {"readings": [reading.key for reading in landed[hour]]}

    def unchanged(hour: str) -> bool:
        stamp = lake.stamp(RAW_READINGS, hour)
        return stamp is not None and stamp.code == digest and stamp.note == note(hour)

    frames = Partitioned(
        list(landed), lambda hour: _shown(context, hour, raw_hour(landing, hour, landed[hour])), unchanged, note, code=digest
    )
    yield from store_partitions(context, frames)


@table_asset(
    DONOSTIA_PARKING,
    "raw_parking",
    RAW_PARKING,
    "Every reading of every car park in the hour, as the feed gave it.",
    ins={"readings": partitions_in(DONOSTIA_PARKING, "raw_readings")},
    metadata={**table_metadata(RAW_PARKING), GAPS_ALLOWED: True},
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def raw_parking(context: dg.AssetExecutionContext, readings: Frames) -> StoredPartitions:
    """Reads the hour's readings; writes their car parks in place of those stored before."""
    from mlops_assets.domains.donostia_parking.ingest import parking_hour

    parkings = Partitioned(
        list(readings), lambda hour: _shown(context, hour, parking_hour(readings[hour], hour)), code=code_digest(*TRANSFORMS)
    )
    yield from store_partitions(context, parkings, column_lineage(asset_key(DONOSTIA_PARKING, "raw_readings"), PARKING_FROM))


@table_asset(
    DONOSTIA_PARKING,
    "rejected_features",
    REJECTS,
    "Features of the hour's readings that are no car parks, each with its reason: counted and set aside, never dropped.",
    ins={"readings": partitions_in(DONOSTIA_PARKING, "raw_readings")},
    metadata={**table_metadata(REJECTS), GAPS_ALLOWED: True},
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def rejected_features(context: dg.AssetExecutionContext, readings: Frames) -> StoredPartitions:
    """Reads the hour's readings; writes their unusable features in place of those stored before."""
    from mlops_assets.domains.donostia_parking.ingest import rejected_hour

    rejected = Partitioned(
        list(readings), lambda hour: _shown(context, hour, rejected_hour(readings[hour], hour)), code=code_digest(*TRANSFORMS)
    )
    yield from store_partitions(context, rejected, column_lineage(asset_key(DONOSTIA_PARKING, "raw_readings"), REJECT_FROM))


@table_asset(
    DONOSTIA_PARKING,
    "enriched",
    HOURLY_PARKING,
    "The last reading of each car park in the hour, and their sum: the city.",
    ins={"parkings": partitions_in(DONOSTIA_PARKING, "raw_parking")},
    metadata={**table_metadata(HOURLY_PARKING), GAPS_ALLOWED: True},
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def enriched(context: dg.AssetExecutionContext, lake: LakeResource, parkings: Frames) -> StoredPartitions:
    """Reads the table's rows of the hour; writes the hour's series in place of those stored before.

    Fails at the end if another run has landed a reading of the hour meanwhile that is not among them.
    """
    from mlops_assets.domains.donostia_parking.ingest import enriched_hour, require_whole

    digest = code_digest(*TRANSFORMS)
    rows = Partitioned(list(parkings), lambda hour: enriched_hour(parkings[hour], hour), code=digest)
    yield from store_partitions(context, rows, column_lineage(asset_key(DONOSTIA_PARKING, "raw_parking"), HOURLY_FROM))
    require_whole(context.run.run_id, lake, list(parkings))


def _shown(context: dg.AssetExecutionContext, hour: str, made: tuple[Frame, dict[str, Any]]) -> Frame:
    """The frame; its counts become metadata of the partition."""
    frame, counts = made
    context.add_asset_metadata(counts, partition_key=hour)
    return frame


ASSETS = [raw_readings, raw_parking, rejected_features, enriched]
