"""The lake as a Dagster resource: its address comes from the settings, unless a test or a deployment names another."""

import logging
import zipfile
from functools import cached_property, partial
from pathlib import PurePosixPath

import dagster as dg

from mlops_assets.settings import Settings
from mlops_assets.storage.lake import Lake
from mlops_assets.storage.stamp import NoStampError, ReadEnd, Stamp

logger = logging.getLogger(__name__)

UNREADABLE = (ValueError, OSError, zipfile.BadZipFile, NoStampError)
"""What a damaged object raises; Arrow's errors are ValueErrors and OSErrors."""
FRAME_SUFFIX = ".parquet"
ARTIFACT_SUFFIX = ".skops"


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # the value type is the resource itself
    """The lake that IO managers write to and that sensors look into."""

    uri: str | None = None
    """A folder, `s3://bucket/prefix` or `gs://bucket/prefix`; None: MLOPS_LAKE_URI."""

    @cached_property
    def lake(self) -> Lake:
        """The `Lake` at this address."""
        return Lake(self.uri or Settings().lake_uri)

    def stamp(self, asset: str, partition: str) -> Stamp | None:
        """The stamp of a stored partition, frame or artifact, without reading its data.

        None if it is not stored, and, with a warning, if what is stored cannot be read: whoever asks then makes it anew.
        """
        for suffix in (FRAME_SUFFIX, ARTIFACT_SUFFIX):
            try:
                return _read_stamp(suffix, partial(self.lake.read, f"{asset}/{partition}{suffix}"))
            except FileNotFoundError:
                continue
            except UNREADABLE as error:
                logger.warning("%s/%s%s cannot be read and counts as not stored: %s", asset, partition, suffix, error)
        return None

    def partitions(self, asset: str) -> list[str]:
        """The partitions of an asset that are stored, sorted."""
        stored = (PurePosixPath(key) for key in self.lake.keys(asset))
        return [path.stem for path in stored if path.suffix in (FRAME_SUFFIX, ARTIFACT_SUFFIX) and not path.name.startswith(".")]


def _read_stamp(suffix: str, read: ReadEnd) -> Stamp:
    from mlops_assets.storage import artifact, parquet

    return parquet.read_footer(read)[0] if suffix == FRAME_SUFFIX else artifact.read_stamp(read)
