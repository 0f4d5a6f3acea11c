"""Dagster IO managers: the template of all, and those over the lake, `FrameIOManager` (Parquet) and `ArtifactIOManager` (fitted objects).

They add what every stored partition has: its data version for Dagster, metadata for the UI, and lineage. Lineage is observed, not
declared: what a step loads through an IO manager is what its outputs are made from. Formats live in `parquet.py` and `artifact.py`,
tables in `table_io_manager.py`.
"""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import dagster as dg

from mlops_assets.storage.partitioned import GAPS_ALLOWED, Partitioned
from mlops_assets.storage.read_ahead import ReadAhead
from mlops_assets.storage.resource import ARTIFACT_SUFFIX, FRAME_SUFFIX, UNREADABLE, LakeResource
from mlops_assets.storage.run_log import RunLog, attempt_at
from mlops_assets.storage.stamp import Lineage, ReadEnd, Stamp, merge_lineage

SHOWN_PARTITIONS = 12
"""How many missing partitions an error lists one by one."""
ASKED_SINGLY = 24
"""So many partitions of the lake are asked for by name; for more, all names are listed, however long the history is."""
AS_PARTITIONS = "mlops_assets/as_partitions"
"""Input metadata: hand the partitions over as a lazy mapping even if there is only one."""
AS_WINDOW = "mlops_assets/as_window"
"""Input metadata: hand over one frame of the rows of all those of the partitions that are stored, by one query. Tables only."""

Described = tuple[Stamp, dict[str, Any]]
"""Stamp and metadata of a stored partition."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: what its step has read, and what the producer says of it."""

    lineage: Lineage
    code: str = ""
    note: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Computed:
    """A partition that is about to be stored."""

    partition: str
    value: Any
    source: Source


class PartitionIOManager(dg.ConfigurableIOManager):
    """Template: the loop over partitions, lineage, what is reported and what is missing. A store says how partitions are kept."""

    read_ahead: ClassVar[int] = 1
    """How many partitions are read at once where they are asked for in order."""

    @abstractmethod
    def store(self, context: dg.OutputContext, computed: Sequence[Computed]) -> Iterator[Described]:
        """Keeps the partitions in order, each with its stamp. One that fails leaves itself and those after it as they were."""

    @abstractmethod
    def is_enough(self, computed: Sequence[Computed]) -> bool:
        """Whether these are to be stored before another one is computed."""

    @abstractmethod
    def stored(self, context: dg.OutputContext, partitions: Sequence[str]) -> Iterable[Described]:
        """Stamp and metadata of partitions that stay as they are."""

    @abstractmethod
    def fetch(self, context: dg.InputContext, partitions: Sequence[str]) -> Mapping[str, tuple[Any, Stamp]]:
        """Those of the partitions that are stored and their stamps, without the last of them if they are too much at once."""

    @abstractmethod
    def present(self, asset_key: dg.AssetKey, partitions: Sequence[str]) -> Collection[str]:
        """Those of the partitions that are stored."""

    @abstractmethod
    def name(self, asset_key: dg.AssetKey, partition: str) -> str:
        """What the partition is called in the run's log of reads and writes, and in messages."""

    def fetch_window(self, context: dg.InputContext, partitions: Sequence[str]) -> tuple[Any, Mapping[str, Stamp]]:  # noqa: ARG002
        """All those of the partitions that are stored as one value, and the stamp of each."""
        raise TypeError(f"{context.asset_key.to_user_string()} is no table, and only tables are read as a window")

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Stores one object for each partition of the output and reports each one's metadata and data version.

        A run of several partitions stores a `Partitioned`; anything else is a TypeError, as it would be one value under many keys. The
        run's partitions that it lacks are passed over, not stored and not reported. ValueError if it has none of them, or others.
        If a partition fails, those before it are stored and those after it are as they were.
        """
        wanted = sorted(context.asset_partition_keys)  # Dagster keeps batches as a set
        partitions = _held(context.asset_key, wanted, obj)
        report = partial(_report, context, alone=len(wanted) == 1)
        kept = {partition for partition in partitions if isinstance(obj, Partitioned) and obj.unchanged(partition)}
        if kept:
            context.log.info(f"{context.asset_key.to_user_string()}: {len(kept)} of {len(wanted)} partitions unchanged, kept as they are")
            for partition, described in zip(sorted(kept), self.stored(context, sorted(kept)), strict=True):
                self._note(context, partition, described)
                report(partition, described)
        computed: list[Computed] = []
        try:
            for partition in partitions:
                if partition not in kept:
                    computed.append(self._compute(context, obj, partition))
                    if self.is_enough(computed):
                        self._store(context, computed, report)
        finally:  # one that cannot be computed does not take those before it along
            self._store(context, computed, report)
        _limit_events(context, wanted, partitions, obj)

    def _compute(self, context: dg.OutputContext, obj: Any, partition: str) -> Computed:
        log, attempt = RunLog.of(context.run_id), attempt_at(context.step_context)
        if not isinstance(obj, Partitioned):
            return Computed(partition, obj, Source(log.lineage(attempt)))
        with log.partition_of(attempt):
            value = obj[partition]
            return Computed(partition, value, Source(log.lineage(attempt), obj.code, obj.note(partition)))

    def _store(self, context: dg.OutputContext, computed: list[Computed], report: Callable[[str, Described], None]) -> None:
        """Empties the list."""
        group = list(computed)
        computed.clear()
        for one, described in zip(group, self.store(context, group), strict=True):
            self._note(context, one.partition, described)
            report(one.partition, described)
        if group:
            which = group[0].partition if len(group) == 1 else f"{group[0].partition} to {group[-1].partition} ({len(group)} partitions)"
            context.log.info(f"{context.asset_key.to_user_string()} {which}: stored")

    def _note(self, context: dg.OutputContext, partition: str, described: Described) -> None:
        RunLog.of(context.run_id).wrote(self.name(context.asset_key, partition), described[0].data_version)

    def load_input(self, context: dg.InputContext) -> Any:
        """The upstream value; for several partitions, or where the input asks for it, a lazy mapping partition -> value, or one frame.

        A dg.Failure names every partition that is not stored. Gaps in a window, or of an asset that may have some, are no failure, unless
        there is nothing else.
        """
        partitions, asked = sorted(context.asset_partition_keys), context.definition_metadata or {}  # Dagster keeps batches as a set
        if AS_WINDOW in asked:
            return self._load_window(context, partitions)
        if len(partitions) == 1 and AS_PARTITIONS not in asked:
            return self._load_partition(context, self._ahead(context, partitions), partitions[0])
        # The whole window must be stored before the first of it is read, so that the error names all that is missing.
        present = set(self.present(context.asset_key, partitions))
        stored = [partition for partition in partitions if partition in present]
        if not stored or (len(stored) < len(partitions) and not _has_gaps(context)):
            raise _missing(context.asset_key, [partition for partition in partitions if partition not in present])
        return Partitioned(stored, partial(self._load_partition, context, self._ahead(context, stored)))

    def _ahead(self, context: dg.InputContext, partitions: Sequence[str]) -> ReadAhead[tuple[Any, Stamp]]:
        return ReadAhead(partitions, partial(self.fetch, context), self.read_ahead)

    def _load_partition(self, context: dg.InputContext, ahead: ReadAhead[tuple[Any, Stamp]], partition: str) -> Any:
        found = ahead.get(partition)
        if found is None:
            raise _missing(context.asset_key, [partition])
        value, stamp = found
        self._log_read(context, {partition: stamp})
        return value

    def _load_window(self, context: dg.InputContext, partitions: Sequence[str]) -> Any:
        value, stamps = self.fetch_window(context, partitions)
        if not stamps:
            raise _missing(context.asset_key, partitions)
        self._log_read(context, stamps)
        return value

    def _log_read(self, context: dg.InputContext, stamps: Mapping[str, Stamp]) -> None:
        log, asset = RunLog.of(context.step_context.run_id), context.asset_key.to_user_string()
        for partition, stamp in stamps.items():
            log.require_own(self.name(context.asset_key, partition), stamp.data_version)
        log.read(attempt_at(context.step_context), merge_lineage(stamp.as_input(asset, partition) for partition, stamp in stamps.items()))


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

    def store(self, context: dg.OutputContext, computed: Sequence[Computed]) -> Iterator[Described]:
        """Replaces the objects."""
        for one in computed:
            key = self.name(context.asset_key, one.partition)
            data = self.dump(one.value, one.source)
            self.lake.lake.write(key, data)
            yield self._described(key, len(data), partial(_all_of, data))

    def is_enough(self, computed: Sequence[Computed]) -> bool:
        """One object at a time: a long range needs the memory of one."""
        return bool(computed)

    def stored(self, context: dg.OutputContext, partitions: Sequence[str]) -> Iterator[Described]:
        """Reads the ends of the objects."""
        for partition in partitions:
            key = self.name(context.asset_key, partition)
            yield self._described(key, self.lake.lake.size(key), partial(self.lake.lake.read, key))

    def fetch(self, context: dg.InputContext, partitions: Sequence[str]) -> dict[str, tuple[Any, Stamp]]:
        """Reads the objects. A dg.Failure names one that is damaged."""
        found = {}
        for partition in partitions:
            key = self.name(context.asset_key, partition)
            with suppress(FileNotFoundError):
                data = self.lake.lake.read(key)
                try:
                    found[partition] = self.load(data)
                except UNREADABLE as error:
                    raise _damaged(context.asset_key, partition, self.lake.lake.location(key), error) from error
        return found

    def present(self, asset_key: dg.AssetKey, partitions: Sequence[str]) -> Collection[str]:
        """By the objects' names."""
        if len(partitions) > ASKED_SINGLY:
            return self.lake.partitions(asset_key.to_user_string())
        return [partition for partition in partitions if self.lake.lake.exists(self.name(asset_key, partition))]

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


def _all_of(data: bytes, last: int | None) -> bytes:  # noqa: ARG001  # a `ReadEnd`
    return data


def _held(asset_key: dg.AssetKey, wanted: Sequence[str], obj: Any) -> list[str]:
    """Those of the run's partitions that `obj` has a value for."""
    asset = asset_key.to_user_string()
    if not isinstance(obj, Partitioned):
        if len(wanted) > 1:
            raise TypeError(f"{asset}: a run of {len(wanted)} partitions stores a Partitioned, not {type(obj).__name__}")
        return list(wanted)
    if others := sorted(set(obj) - set(wanted)):
        raise ValueError(f"{asset}: partition {others[0]} is none of the run's, {wanted[0]} to {wanted[-1]}")
    if not len(obj):
        raise ValueError(f"{asset}: nothing is to be stored, of none of the run's partitions, {wanted[0]} to {wanted[-1]}: yield no output")
    return sorted(obj)


def _report(context: dg.OutputContext, partition: str, described: Described, *, alone: bool) -> None:
    stamp, metadata = described
    metadata = {**metadata, "data_version": stamp.data_version}
    if alone:
        context.add_output_metadata(metadata)
        context.step_context.set_data_version(context.asset_key, dg.DataVersion(stamp.data_version))
    else:
        context.step_context.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=partition)


def _limit_events(context: dg.OutputContext, wanted: Sequence[str], stored: Sequence[str], obj: Any) -> None:
    """Dagster logs an event for each of the output's partitions once it is stored, all with one data version, those passed over too."""
    events = stored
    if len(wanted) > 1 and isinstance(obj, Partitioned) and obj.own_events:
        events = stored[-1:]
        own = context.step_context.get_asset_metadata(asset_key=context.asset_key, partition_key=events[0]) or {}
        context.step_context.set_data_version(context.asset_key, dg.DataVersion(own["data_version"]))
    if len(events) < len(wanted):
        context._asset_partitions_subset = context.asset_partitions_def.subset_with_partition_keys(events)  # there is no other way


def _has_gaps(context: dg.InputContext) -> bool:
    upstream = context.upstream_output
    return bool(upstream and GAPS_ALLOWED in (upstream.definition_metadata or {}))


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
