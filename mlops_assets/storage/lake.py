"""The lake: named objects under one URI (a folder, `s3://` or `gs://`), each made or replaced atomically.

Knows objects as bytes; what the bytes mean is the formats' business (`parquet.py`, `artifact.py`). Credentials come from the
store's own environment variables.
"""

import errno
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
ONE_REQUEST = 1 << 32
"""Bytes. Not every store knows the condition of a write that comes in parts."""
CREATE_ATTEMPTS = 3
"""S3 may answer that it cannot tell yet which of two writers is the first."""
THERE = frozenset({"PreconditionFailed", "412"})
UNDECIDED = frozenset({"ConditionalRequestConflict", "409"})
UNCONDITIONAL = frozenset({"NotImplemented", "501"})
"""What S3 servers answer to a conditional write: there is one already, ask again, there are no such writes here."""
NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP})
"""What file systems say that know no second name of a file."""


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
        with self._refusals_named(key):
            data: bytes = self._fs.cat_file(f"{self._root}/{key}", start=None if last is None else -last)
        return data if last is None else data[-last:]  # a server is free to give all of it

    def size(self, key: str) -> int:
        """Bytes stored. FileNotFoundError if absent."""
        with self._refusals_named(key):
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
            with self._refusals_named(key):
                self._fs.pipe_file(path, data)  # one PUT, or a multipart upload that appears only when it completes
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{self.location(key)}: {error}") from error

    def create(self, key: str, data: bytes) -> bool:
        """Writes the object unless there is one: of two writers one wins whole, and the other's bytes are not stored. Whether it is stored.

        In a store without conditional writes, and in a folder whose files can have no second name, it is looked for first: there a writer
        at the same moment is overlooked.
        """
        path = f"{self._root}/{key}"
        if self._protocol == LOCAL:
            return _create_file(Path(path), data)
        for _ in range(CREATE_ATTEMPTS):
            try:
                self._fs.pipe_file(path, data, mode="create", chunksize=ONE_REQUEST)
            except FileNotFoundError as error:
                raise FileNotFoundError(f"{self.location(key)}: {error}") from error
            except OSError as error:
                answer = _answer(error)
                if isinstance(error, FileExistsError) or answer in THERE:
                    return False
                if answer in UNCONDITIONAL:
                    return self._write_if_absent(key, data)
                if answer not in UNDECIDED:
                    with self._refusals_named(key):
                        raise
                undecided = error
            else:
                return True
        raise undecided

    def _write_if_absent(self, key: str, data: bytes) -> bool:
        if self.exists(key):
            return False
        self.write(key, data)
        return True

    def delete(self, key: str) -> None:
        """Removes the object; nothing happens if there is none."""
        with suppress(FileNotFoundError), self._refusals_named(key):
            self._fs.rm_file(f"{self._root}/{key}")

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys directly below `prefix`, sorted; none if nothing was ever stored there."""
        with suppress(FileNotFoundError):
            with self._refusals_named(prefix):
                paths = self._fs.ls(f"{self._root}/{prefix}", detail=False)
            for path in sorted(paths):
                yield f"{prefix}/{path.rsplit('/', 1)[-1]}"

    @contextmanager
    def _refusals_named(self, key: str) -> Iterator[None]:
        """A store's PermissionError says of what, by whom and why: s3fs hands on the server's own words, and not every server has any."""
        try:
            yield
        except PermissionError as error:
            if self._protocol == LOCAL:
                raise
            connection = getattr(self._fs, "_s3", None)
            store = f" by {connection.meta.endpoint_url}" if connection else ""
            why = ", ".join(word for word in (_answer(error), str(error)) if word not in ("", "None"))
            raise PermissionError(f"{self.location(key)} is refused{store}: {why}. Check the credentials and what they may do.") from error


def _split(uri: str) -> tuple[str, str]:
    """Protocol and root. A plain path and a `file://` URI, which is percent-encoded, give the same root."""
    protocol, separator, root = uri.partition("://")
    if separator and protocol != LOCAL:
        return protocol, root.rstrip("/")
    return LOCAL, str(Path(unquote(root) if separator else uri).expanduser().absolute())


def _answer(error: OSError) -> str:
    """The code of an S3 server's error answer; s3fs turns it into an error of Python's, and not every server says what s3fs looks for."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _replace_file(path: Path, data: bytes) -> None:
    with _temporary_file(path, data) as temporary:
        temporary.replace(path)
    _sync_folder(path.parent)


def _create_file(path: Path, data: bytes) -> bool:
    with _temporary_file(path, data) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if path.exists():
                return False
            temporary.replace(path)
    _sync_folder(path.parent)
    return True


@contextmanager
def _temporary_file(path: Path, data: bytes) -> Iterator[Path]:
    """The data in a file beside `path`, safe on the disk; it is gone in the end if it has not become `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


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
