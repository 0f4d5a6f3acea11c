"""Dagster IO managers: the template of all, and those over the lake, `FrameIOManager` (Parquet) and `ArtifactIOManager` (fitted objects).

They add what every stored partition has: its data version for Dagster, metadata for the UI, and lineage. Lineage is observed, not
declared: what a step loads through an IO manager is what its outputs are made from. Formats live in `parquet.py` and `artifact.py`,
tables in `table_io_manager.py`.
"""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: what its step has read, and what the producer says of it."""

    lineage: Lineage
    code: str = ""
    note: dict[str, Any] = field(default_factory=dict)


class PartitionIOManager(dg.ConfigurableIOManager):
    """Template: the loop over partitions, lineage, what is reported and what is missing. A store says how one partition is kept."""

    @abstractmethod
    def store(self, context: dg.OutputContext, partition: str, value: Any, source: Source) -> tuple[Stamp, dict[str, Any]]:
        """Keeps one partition with its stamp, or fails and leaves it as it was; gives the stamp and metadata."""

    @abstractmethod
    def stored(self, context: dg.OutputContext, partition: str) -> tuple[Stamp, dict[str, Any]]:
        """Stamp and metadata of a partition that stays as it is."""

    @abstractmethod
    def fetch(self, context: dg.InputContext, partition: str) -> tuple[Any, Stamp] | None:
        """A partition and its stamp; None if it is not stored."""

    @abstractmethod
    def partitions(self, asset: str) -> Collection[str]:
        """The partitions of an asset that are stored."""

    @abstractmethod
    def name(self, asset_key: dg.AssetKey, partition: str) -> str:
        """What the partition is called in the run's log of reads and writes, and in messages."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Stores one object for each partition of the output and reports each one's metadata and data version.

        A run of several partitions stores a `Partitioned`; anything else is a TypeError, as it would be one value under many keys.
        If a partition fails, those before it are stored and those after it are as they were.
        """
        partitions = sorted(context.asset_partition_keys)  # Dagster keeps batches as a set
        asset = context.asset_key.to_user_string()
        if len(partitions) > 1 and not isinstance(obj, Partitioned):
            raise TypeError(f"{asset}: a run of {len(partitions)} partitions stores a Partitioned, not {type(obj).__name__}")
        kept = [partition for partition in partitions if isinstance(obj, Partitioned) and obj.unchanged(partition)]
        if kept:
            context.log.info(f"{asset}: {len(kept)} of {len(partitions)} partitions unchanged, kept as they are")
        for partition in partitions:
            stamp, metadata = self.stored(context, partition) if partition in kept else self._store(context, obj, partition)
            RunLog.of(context.run_id).wrote(self.name(context.asset_key, partition), stamp.data_version)
            _report(context, partition, stamp, metadata)

    def _store(self, context: dg.OutputContext, obj: Any, partition: str) -> tuple[Stamp, dict[str, Any]]:
        log, attempt = RunLog.of(context.run_id), attempt_at(context.step_context)
        if isinstance(obj, Partitioned):
            with log.partition_of(attempt):
                value = obj[partition]
                source = Source(log.lineage(attempt), obj.code, obj.note(partition))
        else:
            value, source = obj, Source(log.lineage(attempt))
        stored = self.store(context, partition, value, source)
        context.log.info(f"{context.asset_key.to_user_string()} {partition}: stored")
        return stored

    def load_input(self, context: dg.InputContext) -> Any:
        """The upstream value; for several partitions, or where the input asks for it, a lazy mapping partition -> value.

        A dg.Failure names every partition that is not stored.
        """
        partitions = sorted(context.asset_partition_keys)  # Dagster keeps batches as a set
        if len(partitions) == 1 and AS_PARTITIONS not in (context.definition_metadata or {}):
            return self._load_partition(context, partitions[0])
        self._require(context.asset_key, partitions)
        return Partitioned(partitions, lambda partition: self._load_partition(context, partition))

    def _load_partition(self, context: dg.InputContext, partition: str) -> Any:
        found = self.fetch(context, partition)
        if found is None:
            raise _missing(context.asset_key, [partition])
        value, stamp = found
        log = RunLog.of(context.step_context.run_id)
        log.require_own(self.name(context.asset_key, partition), stamp.data_version)
        log.read(attempt_at(context.step_context), stamp.as_input(context.asset_key.to_user_string(), partition))
        return value

    def _require(self, asset_key: dg.AssetKey, partitions: Sequence[str]) -> None:
        """The whole window must be stored before the first of it is read, so that the error names all that is missing."""
        stored = set(self.partitions(asset_key.to_user_string()))
        missing = [partition for partition in partitions if partition not in stored]
        if missing:
            raise _missing(asset_key, missing)


class LakeIOManager(PartitionIOManager):
    """Template of the lake: objects, each replaced atomically. A format says how a value becomes bytes."""

    lake: LakeResource
    suffix: ClassVar[str]

    @abstractmethod
    def dump(self, value: Any, source: Source) -> bytes:
        """The value as bytes with its stamp inside."""

    @abstractmethod
    def load(self, data: bytes) -> tuple[Any, Stamp]:
        """The inverse of `dump`."""

    @abstractmethod
    def describe(self, read: ReadEnd) -> tuple[Stamp, dict[str, Any]]:
        """Stamp and format-specific metadata of a stored object, without decoding its data."""

    def store(self, context: dg.OutputContext, partition: str, value: Any, source: Source) -> tuple[Stamp, dict[str, Any]]:
        """Replaces the object."""
        key = self.name(context.asset_key, partition)
        data = self.dump(value, source)
        self.lake.lake.write(key, data)
        return self._described(key, len(data), lambda _: data)

    def stored(self, context: dg.OutputContext, partition: str) -> tuple[Stamp, dict[str, Any]]:
        """Reads the end of the object."""
        key = self.name(context.asset_key, partition)
        return self._described(key, self.lake.lake.size(key), partial(self.lake.lake.read, key))

    def fetch(self, context: dg.InputContext, partition: str) -> tuple[Any, Stamp] | None:
        """Reads the object. A dg.Failure names one that is damaged."""
        key = self.name(context.asset_key, partition)
        try:
            data = self.lake.lake.read(key)
        except FileNotFoundError:
            return None
        try:
            return self.load(data)
        except UNREADABLE as error:
            raise _damaged(context.asset_key, partition, self.lake.lake.location(key), error) from error

    def partitions(self, asset: str) -> Collection[str]:
        """By the objects' names."""
        return self.lake.partitions(asset)

    def name(self, asset_key: dg.AssetKey, partition: str) -> str:
        """The object's key."""
        return f"{asset_key.to_user_string()}/{partition}{self.suffix}"

    def _described(self, key: str, size: int, read: ReadEnd) -> tuple[Stamp, dict[str, Any]]:
        stamp, metadata = self.describe(read)
        return stamp, {**metadata, "bytes": size, "uri": dg.MetadataValue.path(self.lake.lake.location(key))}


class FrameIOManager(LakeIOManager):
    """pandas frames as Parquet; the data version is the hash of names, types and values."""

    suffix: ClassVar[str] = FRAME_SUFFIX

    def dump(self, value: Any, source: Source) -> bytes:
        """Parquet bytes. ValueError if the frame's index would be lost."""
        from mlops_assets.storage import parquet

        table = parquet.to_table(value)
        return parquet.encode(table, Stamp(parquet.data_version(table), source.lineage, source.code, source.note))

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

    def dump(self, value: Any, source: Source) -> bytes:
        """Archive bytes."""
        from mlops_assets.storage import artifact

        archive, version = artifact.to_archive(value)
        return artifact.encode(archive, Stamp(version, source.lineage, source.code, source.note))

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
