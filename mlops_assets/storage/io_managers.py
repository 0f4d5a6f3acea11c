"""Dagster IO managers over the lake: `FrameIOManager` (Parquet) and `ArtifactIOManager` (fitted objects).

They add what every stored partition has: its data version for Dagster, metadata for the UI, and lineage. Lineage is observed, not
declared: what a step loads through an IO manager is what its outputs are made from. Formats live in `parquet.py` and `artifact.py`.
"""

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import dagster as dg

from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.resource import ARTIFACT_SUFFIX, FRAME_SUFFIX, UNREADABLE, LakeResource
from mlops_assets.storage.run_log import RunLog, attempt_at
from mlops_assets.storage.stamp import Lineage, ReadEnd, Stamp

SHOWN_PARTITIONS = 12
"""How many missing partitions an error lists one by one."""
AS_PARTITIONS = "mlops_assets/as_partitions"
"""Input metadata: hand the partitions over as a lazy mapping even if there is only one."""


class LakeIOManager(dg.ConfigurableIOManager):
    """Template: keys, atomic replacement, stamps, metadata, lineage. A format says how a value becomes bytes."""

    lake: LakeResource
    suffix: ClassVar[str]

    @abstractmethod
    def dump(self, value: Any, lineage: Lineage, code: str, note: dict[str, Any]) -> bytes:
        """The value as bytes with its stamp inside."""

    @abstractmethod
    def load(self, data: bytes) -> tuple[Any, Stamp]:
        """The inverse of `dump`."""

    @abstractmethod
    def describe(self, read: ReadEnd) -> tuple[Stamp, dict[str, Any]]:
        """Stamp and format-specific metadata of a stored object, without decoding its data."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Stores one object for each partition of the output and reports each one's metadata and data version.

        A run of several partitions stores a `Partitioned`; anything else is a TypeError, as it would be one value under many keys.
        If a partition fails, those before it are stored and those after it are as they were.
        """
        partitions = list(context.asset_partition_keys)
        if len(partitions) > 1 and not isinstance(obj, Partitioned):
            asset = context.asset_key.to_user_string()
            raise TypeError(f"{asset}: a run of {len(partitions)} partitions stores a Partitioned, not {type(obj).__name__}")
        kept = [partition for partition in partitions if isinstance(obj, Partitioned) and obj.unchanged(partition)]
        if kept:
            context.log.info(
                f"{context.asset_key.to_user_string()}: {len(kept)} of {len(partitions)} partitions unchanged, kept as they are"
            )
        for partition in partitions:
            stamp, metadata = self._keep(context, partition) if partition in kept else self._store(context, obj, partition)
            _report(context, partition, stamp, metadata)

    def _keep(self, context: dg.OutputContext, partition: str) -> tuple[Stamp, dict[str, Any]]:
        key = self._key(context.asset_key, partition)
        return self._noted(context, key, self.lake.lake.size(key), partial(self.lake.lake.read, key))

    def _store(self, context: dg.OutputContext, obj: Any, partition: str) -> tuple[Stamp, dict[str, Any]]:
        key = self._key(context.asset_key, partition)
        data = self._dump_partition(context, obj, partition)
        self.lake.lake.write(key, data)
        context.log.info(f"{context.asset_key.to_user_string()} {partition}: stored")
        return self._noted(context, key, len(data), lambda _: data)

    def _noted(self, context: dg.OutputContext, key: str, size: int, read: ReadEnd) -> tuple[Stamp, dict[str, Any]]:
        stamp, metadata = self.describe(read)
        RunLog.of(context.run_id).wrote(key, stamp.data_version)
        return stamp, {**metadata, "bytes": size, "uri": dg.MetadataValue.path(self.lake.lake.location(key))}

    def _dump_partition(self, context: dg.OutputContext, obj: Any, partition: str) -> bytes:
        log, attempt = RunLog.of(context.run_id), attempt_at(context.step_context)
        if not isinstance(obj, Partitioned):
            return self.dump(obj, log.lineage(attempt), "", {})
        with log.partition_of(attempt):
            value = obj[partition]
            lineage = log.lineage(attempt)
        return self.dump(value, lineage, obj.code, obj.note(partition))

    def load_input(self, context: dg.InputContext) -> Any:
        """The upstream value; for several partitions, or where the input asks for it, a lazy mapping partition -> value.

        A dg.Failure names every partition that is not stored.
        """
        partitions = list(context.asset_partition_keys)
        if len(partitions) == 1 and AS_PARTITIONS not in (context.definition_metadata or {}):
            return self._load_partition(context, partitions[0])
        self._require(context.asset_key, partitions)
        return Partitioned(partitions, lambda partition: self._load_partition(context, partition))

    def _load_partition(self, context: dg.InputContext, partition: str) -> Any:
        key = self._key(context.asset_key, partition)
        try:
            data = self.lake.lake.read(key)
        except FileNotFoundError:
            raise _missing(context.asset_key, [partition]) from None
        try:
            value, stamp = self.load(data)
        except UNREADABLE as error:
            raise _damaged(context.asset_key, partition, self.lake.lake.location(key), error) from error
        log = RunLog.of(context.step_context.run_id)
        log.require_own(key, stamp.data_version)
        log.read(attempt_at(context.step_context), stamp.as_input(context.asset_key.to_user_string(), partition))
        return value

    def _require(self, asset_key: dg.AssetKey, partitions: Sequence[str]) -> None:
        """The whole window must be stored before the first of it is read, so that the error names all that is missing."""
        stored = set(self.lake.partitions(asset_key.to_user_string()))
        missing = [partition for partition in partitions if partition not in stored]
        if missing:
            raise _missing(asset_key, missing)

    def _key(self, asset_key: dg.AssetKey, partition: str) -> str:
        return f"{asset_key.to_user_string()}/{partition}{self.suffix}"


class FrameIOManager(LakeIOManager):
    """pandas frames as Parquet; the data version is the hash of names, types and values."""

    suffix: ClassVar[str] = FRAME_SUFFIX

    def dump(self, value: Any, lineage: Lineage, code: str, note: dict[str, Any]) -> bytes:
        """Parquet bytes. ValueError if the frame's index would be lost."""
        from mlops_assets.storage import parquet

        table = parquet.to_table(value)
        return parquet.encode(table, Stamp(parquet.data_version(table), lineage, code, note))

    def load(self, data: bytes) -> tuple[Any, Stamp]:
        """A frame."""
        from mlops_assets.storage import parquet

        return parquet.decode(data)

    def describe(self, read: ReadEnd) -> tuple[Stamp, dict[str, Any]]:
        """Row count and column schema."""
        from mlops_assets.storage import parquet

        stamp, rows, schema = parquet.read_footer(read)
        columns = [dg.TableColumn(field.name, str(field.type)) for field in schema]
        return stamp, {"dagster/row_count": rows, "dagster/column_schema": dg.TableSchema(columns)}


class ArtifactIOManager(LakeIOManager):
    """Fitted objects (encoders, scalers, models) as skops archives; the data version is the hash of the canonical archive."""

    suffix: ClassVar[str] = ARTIFACT_SUFFIX

    def dump(self, value: Any, lineage: Lineage, code: str, note: dict[str, Any]) -> bytes:
        """Archive bytes."""
        from mlops_assets.storage import artifact

        archive, version = artifact.to_archive(value)
        return artifact.encode(archive, Stamp(version, lineage, code, note))

    def load(self, data: bytes) -> tuple[Any, Stamp]:
        """A fitted object."""
        from mlops_assets.storage import artifact

        return artifact.decode(data)

    def describe(self, read: ReadEnd) -> tuple[Stamp, dict[str, Any]]:
        """Nothing beyond the stamp."""
        from mlops_assets.storage import artifact

        return artifact.read_stamp(read), {}


def _report(context: dg.OutputContext, partition: str, stamp: Stamp, metadata: dict[str, Any]) -> None:
    metadata = {**metadata, "data_version": stamp.data_version}
    if len(context.asset_partition_keys) == 1:
        context.add_output_metadata(metadata)
        context.step_context.set_data_version(context.asset_key, dg.DataVersion(stamp.data_version))
    else:
        context.step_context.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=partition)


def _damaged(asset_key: dg.AssetKey, partition: str, location: str, error: Exception) -> dg.Failure:
    asset = asset_key.to_user_string()
    return dg.Failure(
        f"{location} cannot be read ({type(error).__name__}: {error}). It is damaged or was not written by this platform: "
        f"materialize it again: dg launch --assets 'key:\"{asset}\"' --partition {partition}",
        metadata={"asset": asset, "partition": partition},
        allow_retries=False,
    )


def _missing(asset_key: dg.AssetKey, partitions: Sequence[str]) -> dg.Failure:
    asset = asset_key.to_user_string()
    which = f"--partition {partitions[0]}" if len(partitions) == 1 else f"--partition-range {partitions[0]}...{partitions[-1]}"
    shown = ", ".join(partitions) if len(partitions) <= SHOWN_PARTITIONS else f"{len(partitions)} partitions, {partitions[0]} the first"
    return dg.Failure(
        f"{asset} is not stored for {shown}. Materialize it first: dg launch --assets '+key:\"{asset}\"' {which}",
        metadata={"asset": asset, "missing_partitions": list(partitions)},
        allow_retries=False,
    )
