"""The lake: named objects under one URI (a folder, `s3://` or `gs://`), each replaced atomically.

Knows objects as bytes; what the bytes mean is the formats' business (`parquet.py`, `artifact.py`). Credentials come from the
store's own environment variables.
"""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LOCAL = "file"
OPTIONS: dict[str, Any] = {
    # Another process may write at any time, so a cached listing could hide what is there.
    "use_listings_cache": False,
    # fsspec would hand out a connection made under an earlier environment.
    "skip_instance_cache": True,
}
PROTOCOL_OPTIONS: dict[str, dict[str, Any]] = {
    # s3fs otherwise reads a large object in parts, which may belong to different versions of it.
    "s3": {"max_concurrency": 1},
}
LEFTOVER_SECONDS = 24 * 3600
"""No write takes this long: an older temporary file belongs to a process that was killed."""


class Lake:
    """Objects under `uri`. A key is a path relative to it, such as `chicago_crime/enriched/2017-12.parquet`.

    It connects on first use, with the credentials that the environment then has.
    """

    def __init__(self, uri: str) -> None:
        self._protocol, self._root = _split(uri)
        self.uri = self._root if self._protocol == LOCAL else f"{self._protocol}://{self._root}"

    @cached_property
    def _fs(self) -> "AbstractFileSystem":
        import fsspec

        return fsspec.filesystem(self._protocol, **OPTIONS, **PROTOCOL_OPTIONS.get(self._protocol, {}))

    def location(self, key: str) -> str:
        """The object's full address, for people and links."""
        return f"{self.uri}/{key}"

    def read(self, key: str, last: int | None = None) -> bytes:
        """The object, or only its last bytes, in one request: a concurrent replacement is never half seen. FileNotFoundError if absent."""
        data: bytes = self._fs.cat_file(f"{self._root}/{key}", start=None if last is None else -last)
        return data if last is None else data[-last:]  # a server is free to give all of it

    def size(self, key: str) -> int:
        """Bytes stored. FileNotFoundError if absent."""
        return int(self._fs.size(f"{self._root}/{key}"))

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        try:
            self.size(key)
        except FileNotFoundError:
            return False
        return True

    def write(self, key: str, data: bytes) -> None:
        """Replaces the object: a crash leaves the old one or the new one, and of two writers one wins whole."""
        path = f"{self._root}/{key}"
        if self._protocol == LOCAL:
            _replace_file(Path(path), data)
            return
        try:
            self._fs.pipe_file(path, data)  # one PUT, or a multipart upload that appears only when it completes
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{self.location(key)}: {error}") from error

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens if there is none."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._root}/{key}")

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys directly below `prefix`, sorted; none if nothing was ever stored there."""
        with suppress(FileNotFoundError):
            for path in sorted(self._fs.ls(f"{self._root}/{prefix}", detail=False)):
                yield f"{prefix}/{path.rsplit('/', 1)[-1]}"


def _split(uri: str) -> tuple[str, str]:
    """Protocol and root. A plain path and a `file://` URI, which is percent-encoded, give the same root."""
    protocol, separator, root = uri.partition("://")
    if separator and protocol != LOCAL:
        return protocol, root.rstrip("/")
    return LOCAL, str(Path(unquote(root) if separator else uri).expanduser().absolute())


def _replace_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _remove_leftovers(folder: Path) -> None:
    oldest = time.time() - LEFTOVER_SECONDS
    for temporary in folder.glob(".*.tmp"):
        with suppress(OSError):  # another writer may be quicker, or it may be another user's
            if temporary.stat().st_mtime < oldest:
                temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """The new name itself must survive a power cut, not only the bytes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
