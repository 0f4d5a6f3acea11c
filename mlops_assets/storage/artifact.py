"""Fitted objects as skops archives, the stamp as one more member. Bytes in, bytes out; never pickle."""

import io
import zipfile
from typing import Any

from mlops_assets.ml.persistence import content_hash, dumps, loads
from mlops_assets.storage.stamp import NoStampError, ReadEnd, Stamp

STAMP_MEMBER = "mlops_assets.stamp.json"


def to_archive(value: Any) -> tuple[bytes, str]:
    """The object's archive and its data version; equal fitted state gives equal bytes."""
    archive = dumps(value)
    return archive, content_hash(archive)


def encode(archive: bytes, stamp: Stamp) -> bytes:
    """The archive with the stamp inside."""
    buffer = io.BytesIO(archive)
    with zipfile.ZipFile(buffer, "a") as file:
        file.writestr(zipfile.ZipInfo(STAMP_MEMBER), stamp.to_json())  # a ZipInfo of our own carries no time
    return buffer.getvalue()


def decode(data: bytes) -> tuple[Any, Stamp]:
    """The object and its stamp. UntrustedTypeError if the archive holds a type that nobody reviewed."""
    return loads(data), read_stamp(lambda _: data)


def read_stamp(read: ReadEnd) -> Stamp:
    """The stamp, without building the object."""
    with zipfile.ZipFile(io.BytesIO(read(None))) as archive:
        if STAMP_MEMBER not in archive.namelist():
            raise NoStampError(f"the archive has no member {STAMP_MEMBER}")
        return Stamp.from_json(archive.read(STAMP_MEMBER))
