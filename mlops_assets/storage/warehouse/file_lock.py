"""A fair lock of many readers or one writer between processes, on files beside what it guards. POSIX, local disks.

The kernel lets go of it when its holder dies, whatever killed it.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.005


@contextmanager
def locked(path: Path, *, exclusive: bool, seconds: float) -> Iterator[None]:
    """Holds the lock of `path`. TimeoutError after `seconds` of waiting; OSError if the lock files cannot be made.

    Everybody passes a gate first, and a writer keeps it while it waits for the readers that are in: later readers cannot starve it.
    """
    deadline = time.monotonic() + seconds
    lock = _open(path.with_name(f"{path.name}.lock"))
    try:
        gate = _open(path.with_name(f"{path.name}.gate"))
        try:
            _acquire(gate, fcntl.LOCK_EX, deadline, path)
            _acquire(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, deadline, path)
        finally:
            os.close(gate)
        yield
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def _acquire(descriptor: int, operation: int, deadline: float, path: Path) -> None:
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} has been in use by another process for too long") from None
            time.sleep(POLL_SECONDS)
        else:
            return
