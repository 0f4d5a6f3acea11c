"""Raw and enriched forest cover: what differs from every other system, written out. The rest comes from the factories.

Every asset takes a range of batches in one run. A partition costs the same whatever came before it: it reads its own answers only.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domains.forest_cover.landing import Landing
from mlops_assets.domains.forest_cover.spec import FOREST_COVER, REJECTS, SAMPLES
from mlops_assets.domains.forest_cover.terrain import TERRAIN
from mlops_assets.factories.code_version import code_digest
from mlops_assets.factories.keys import artifact_asset, asset_key, frame_asset, partitions_in, table_asset
from mlops_assets.factories.partitions import StoredPartitions, derived, store_partitions
from mlops_assets.factories.reports import column_lineage
from mlops_assets.resources.forest_api import ForestApiResource
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.resource import LakeResource

if TYPE_CHECKING:
    from pandas import DataFrame as Frame

    from mlops_assets.domains.forest_cover.transforms import ForestEnricher

    Frames = Partitioned[Frame]
    Enrichers = Partitioned[ForestEnricher]
else:
    Frame = Frames = Enrichers = Any

RAW_BATCHES = "forest_cover/raw_batches"
ENRICHED = "forest_cover/enriched"
TRANSFORMS = ("mlops_assets.domains.forest_cover.transforms", "mlops_assets.domains.forest_cover.terrain")

SAMPLE_FROM = {
    **{column.name: ("body",) for column in SAMPLES.columns},
    "first_seen_batch": ("batch_number",),
    "first_seen_at": ("received_at",),
}
"""Column of `samples` -> the columns of `raw_batches` it is made of."""
REJECT_FROM = {
    **dict.fromkeys(("row_number", "reason", "row"), ("body",)),
    **{column: (column,) for column in ("batch_number", "answer", "received_at")},
}
"""The same for `rejected_samples`."""
ENRICHED_FROM = {
    **{column.name: (column.name,) for column in SAMPLES.columns},
    **{name: tuple(weights) for name, weights in TERRAIN.items()},
}
"""Column of `enriched` -> the columns of `samples` it is made of."""


@frame_asset(
    FOREST_COVER,
    "raw_batches",
    "All answers of the API for the batch, one row an answer, as received.",
    pool="forest_api",
    backfill_policy=dg.BackfillPolicy.single_run(),
    output_required=False,
)
def raw_batches(context: dg.AssetExecutionContext, forest_api: ForestApiResource, lake: LakeResource) -> StoredPartitions:
    """Asks the API once for each batch and lands its answer; writes all answers landed so far. An answer that is landed is never lost.

    Where the API has handed out everything and nothing of the batches is landed, there is nothing to write, and that is no failure.
    """
    from mlops_assets.domains.forest_cover.ingest import collect, raw_batch

    landing, batches = Landing(lake.lake), list(context.partition_keys)
    with forest_api.client() as client:
        landed = collect(client, landing, batches, note=context.log.warning)
    if not landed:
        context.log.info(f"nothing is stored for {', '.join(batches)}, and the API has handed out everything ({landing.ended()})")
        return
    frames = Partitioned(
        batches,
        compute=lambda batch: raw_batch(landing, batch, landed[batch]),
        note=lambda batch: {"answers": [answer.key for answer in landed[batch]]},
    )
    yield from store_partitions(context, frames)


@table_asset(
    FOREST_COVER,
    "rejected_samples",
    REJECTS,
    "Rows of the batch's answers that are no samples, each with its reason: counted and set aside, never dropped.",
    ins={"answers": partitions_in(FOREST_COVER, "raw_batches")},
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def rejected_samples(context: dg.AssetExecutionContext, answers: Frames) -> StoredPartitions:
    """Reads the batch's answers; writes their unusable rows in place of those stored before."""
    from mlops_assets.domains.forest_cover.transforms import parse_batch

    rejected = Partitioned(list(context.partition_keys), lambda batch: parse_batch(answers[batch])[1], code=code_digest(*TRANSFORMS))
    yield from store_partitions(context, rejected, column_lineage(asset_key(FOREST_COVER, "raw_batches"), REJECT_FROM))


@table_asset(
    FOREST_COVER,
    "samples",
    SAMPLES,
    "Every observation once, whatever batch and call brought it; the batch's partition is what it brought first.",
    ins={"answers": partitions_in(FOREST_COVER, "raw_batches")},
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def samples(context: dg.AssetExecutionContext, answers: Frames) -> StoredPartitions:
    """Reads the batch's answers; adds the observations that the table does not have yet."""
    from mlops_assets.domains.forest_cover.ingest import batch_samples

    def counted(batch: str) -> Frame:
        frame, counts = batch_samples(answers[batch])
        context.add_asset_metadata(counts, partition_key=batch)
        return frame

    found = Partitioned(list(context.partition_keys), counted, code=code_digest(*TRANSFORMS))
    yield from store_partitions(context, found, column_lineage(asset_key(FOREST_COVER, "raw_batches"), SAMPLE_FROM))


@artifact_asset(
    FOREST_COVER,
    "enricher",
    "Derives the terrain features from a raw cell; travels inside the model.",
    deps=[asset_key(FOREST_COVER, "raw_batches")],  # a batch that never came has none either
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def enricher(context: dg.AssetExecutionContext, lake: LakeResource) -> StoredPartitions:
    """Reads nothing, for there is nothing to fit; writes the same enricher for every batch."""
    from mlops_assets.domains.forest_cover.transforms import ForestEnricher

    yield from store_partitions(context, derived(context, lake, lambda _: ForestEnricher(), reads=[], code=TRANSFORMS))


@frame_asset(
    FOREST_COVER,
    "enriched",
    "The observations that the batch brought first, with their terrain features.",
    ins={"found": partitions_in(FOREST_COVER, "samples"), "enrichers": partitions_in(FOREST_COVER, "enricher")},
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def enriched(context: dg.AssetExecutionContext, found: Frames, enrichers: Enrichers) -> StoredPartitions:
    """Reads the table's rows of the batch and its enricher; writes one row for each observation, ordered by sample_id."""
    from mlops_assets.domains.forest_cover.ingest import enriched_batch

    rows = Partitioned(
        list(context.partition_keys), lambda batch: enriched_batch(found[batch], enrichers[batch]), code=code_digest(*TRANSFORMS)
    )
    yield from store_partitions(context, rows, column_lineage(asset_key(FOREST_COVER, "samples"), ENRICHED_FROM))


ASSETS = [raw_batches, rejected_samples, samples, enricher, enriched]
