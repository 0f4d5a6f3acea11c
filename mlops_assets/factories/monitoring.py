"""What Grafana sees beside the systems' own tables: the registry and the row counts of stored partitions, mirrored into the warehouse.

A mirror holds nothing of its own: written anew from the registry and the stores it is the same, and then nothing is changed.
"""

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domain import Cadence, Domain, Hourly, Monthly, Table
from mlops_assets.factories.automation import REPOSITORY
from mlops_assets.factories.keys import Decorator, asset_key, common
from mlops_assets.hours import hour_of
from mlops_assets.monitoring import MODEL_VERSIONS, PARTITION_ROWS
from mlops_assets.partitions import MONTH_FORMAT
from mlops_assets.resources.mlflow import MlflowResource
from mlops_assets.settings import Settings
from mlops_assets.storage.resource import FRAME_SUFFIX, UNREADABLE, LakeResource
from mlops_assets.storage.warehouse_resource import WarehouseResource

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_assets.ml.registry import Trace

logger = logging.getLogger(__name__)

MONITORING = "monitoring"
EVERY_15_MINUTES = "*/15 * * * *"
NEWEST = 400
"""So many partitions of a stage are mirrored: all months or batches there will be, or 16 days of hours. Years of hours would be read and
written anew each time."""
ASKED_VERSIONS = 50
"""So many of the newest versions are looked up in the lake, unless it is known already that they were champion."""
READERS = 8
"""Footers read at a time; an object store answers slowly, but many at once."""
NEWEST_STAMPS = """
    SELECT asset, "partition", row_count FROM (
        SELECT asset, "partition", row_count, ROW_NUMBER() OVER (PARTITION BY asset ORDER BY "partition" DESC) AS place
        FROM mlops_stamps WHERE asset LIKE :assets
    ) AS numbered WHERE place <= :newest
"""

PartitionRows = dict[tuple[str, str], int]
"""Stage and partition -> rows."""


def monitoring_definitions(domains: Iterable[Domain]) -> dg.Definitions:
    """Two assets a system, `model_versions` and `partition_rows`, and one job with its schedule for all systems."""
    assets = [asset for domain in domains for asset in (_model_versions(domain), _partition_rows(domain))]
    job = dg.define_asset_job(
        name=MONITORING,
        selection=dg.AssetSelection.assets(*assets),
        description="What Grafana shows of the registry and of stored partitions, for all systems.",
        tags={".dagster/repository": REPOSITORY},
    )
    schedule = dg.ScheduleDefinition(
        name="monitoring_schedule",
        job=job,
        cron_schedule=EVERY_15_MINUTES,
        execution_timezone="UTC",
        description="Mirrors the registry and the row counts of stored partitions into the warehouse.",
    )
    return dg.Definitions(assets=assets, jobs=[job], schedules=[schedule])


def _model_versions(domain: Domain) -> dg.AssetsDefinition:
    @_mirror_asset(domain, MODEL_VERSIONS, kinds={"mlflow", "table"})
    def model_versions(mlflow: MlflowResource, lake: LakeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
        """Reads the registry and the `champion` frames; writes the system's rows of `model_versions` in place of those before."""
        from mlops_assets.ml import registry

        client = registry.connect(mlflow.tracking_uri or Settings().tracking_uri)
        traces = registry.history(client, domain.model_name)
        before = warehouse.warehouse.rows(MODEL_VERSIONS, domain.name).to_pylist()
        champions = {row["version"] for row in before if row["was_champion"]} | _champions(domain, traces, lake)
        return _mirror(warehouse, MODEL_VERSIONS, domain, [row for trace in traces for row in _version_rows(domain, trace, champions)])

    return model_versions


def _partition_rows(domain: Domain) -> dg.AssetsDefinition:
    @_mirror_asset(domain, PARTITION_ROWS, kinds={"table"})
    def partition_rows(lake: LakeResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
        """Reads the footers and stamps of the newest partitions; writes the system's rows of `partition_rows` in place of those before."""
        counts = {**_rows_in_lake(domain, lake), **_rows_in_warehouse(domain, warehouse)}
        rows = [
            {
                "system": domain.name,
                "stage": stage,
                "partition": key,
                "starts_at": first_moment(domain.cadence, key),
                "row_count": count,
            }
            for (stage, key), count in counts.items()
        ]
        return _mirror(warehouse, PARTITION_ROWS, domain, rows)

    return partition_rows


def first_moment(cadence: Cadence, partition: str) -> datetime | None:
    """When the partition begins, UTC; None for batches, which are no spans of time."""
    if isinstance(cadence, Hourly):
        return hour_of(partition)
    return datetime.strptime(partition, MONTH_FORMAT).replace(tzinfo=UTC) if isinstance(cadence, Monthly) else None


def _mirror_asset(domain: Domain, table: Table, kinds: set[str]) -> Decorator:
    decorator: Decorator = dg.asset(
        key=asset_key(domain, table.name),
        description=table.description,
        metadata={"dagster/table_name": table.name},
        kinds=kinds,
        **common(domain, MONITORING),
    )
    return decorator


def _mirror(warehouse: WarehouseResource, table: Table, domain: Domain, rows: list[dict[str, Any]]) -> dg.MaterializeResult[None]:
    import pyarrow as pa

    from mlops_assets.storage.warehouse import arrow_schema
    from mlops_assets.storage.warehouse.rows import ordered
    from mlops_assets.storage.warehouse.stamps import content_version

    data = ordered(pa.Table.from_pylist(rows, schema=arrow_schema(table)), table)
    written = warehouse.warehouse.write(table, data, partition=domain.name)
    return dg.MaterializeResult(
        metadata={"dagster/row_count": data.num_rows, "rows_inserted": written.inserted, "rows_deleted": written.deleted},
        data_version=dg.DataVersion(content_version(data)),
    )


def _version_rows(domain: Domain, trace: "Trace", champions: set[int]) -> list[dict[str, Any]]:
    from mlops_assets.ml.registry import CHALLENGER, CHAMPION

    version = {
        "system": domain.name,
        "model": trace.name,
        "version": trace.version,
        "registered_at": trace.created_at,
        "partition": trace.provenance.partition,
        "candidate": trace.provenance.candidate,
        "aliases": ", ".join(trace.aliases),
        "is_champion": CHAMPION in trace.aliases,
        "is_challenger": CHALLENGER in trace.aliases,
        "was_champion": CHAMPION in trace.aliases or trace.version in champions,
        "run_id": trace.run_id,
    }
    metrics: Mapping[str, float | None] = trace.provenance.metrics or {"": None}
    return [{**version, "metric": name or None, "value": value, "is_gate": name == domain.gates.metric} for name, value in metrics.items()]


def _champions(domain: Domain, traces: Iterable["Trace"], lake: LakeResource) -> set[int]:
    """The newest versions that the training of their own partition made champion; the registry keeps no history of aliases."""
    from mlops_assets.storage.parquet import decode

    promoted: set[int] = set()
    for trace in list(traces)[:ASKED_VERSIONS]:
        try:
            frame, _ = decode(lake.lake.read(f"{domain.name}/champion/{trace.provenance.partition}{FRAME_SUFFIX}"))
        except UNREADABLE:  # among them FileNotFoundError: that training promoted nothing
            continue
        promoted.update(int(version) for version in frame["version"])
    return promoted


def _is_counted(stage: str) -> bool:
    return stage.startswith(("raw_", "rejected_")) or stage == "enriched"


def _rows_in_warehouse(domain: Domain, warehouse: WarehouseResource) -> PartitionRows:
    """From the stamps, whatever the tables hold."""
    from mlops_assets.storage.warehouse.stamps import STAMPS

    stamps: pa.Table = warehouse.querying(STAMPS).query(NEWEST_STAMPS, assets=f"{domain.name}/%", newest=NEWEST)
    counts: PartitionRows = {}
    for row in stamps.to_pylist():
        system, _, stage = row["asset"].partition("/")
        if system == domain.name and _is_counted(stage):
            counts[stage, row["partition"]] = row["row_count"]
    return counts


def _rows_in_lake(domain: Domain, lake: LakeResource) -> PartitionRows:
    """From the ends of the newest objects; the others are listed only."""
    stages = [key.rpartition("/")[2] for key in lake.lake.keys(domain.name)]
    keys = [
        (stage, partition) for stage in stages if _is_counted(stage) for partition in lake.partitions(f"{domain.name}/{stage}")[-NEWEST:]
    ]
    with ThreadPoolExecutor(READERS) as readers:
        counts = list(readers.map(lambda key: _rows_of(lake, f"{domain.name}/{key[0]}/{key[1]}{FRAME_SUFFIX}"), keys))
    return {key: count for key, count in zip(keys, counts, strict=True) if count is not None}


def _rows_of(lake: LakeResource, key: str) -> int | None:
    from mlops_assets.storage.parquet import read_footer

    try:
        return read_footer(partial(lake.lake.read, key))[1]
    except UNREADABLE as error:
        logger.warning("%s cannot be read and counts as not stored: %s", key, error)
        return None
