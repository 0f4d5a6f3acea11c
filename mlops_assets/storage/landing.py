"""Where answers of an upstream are kept in the lake: immutable objects, exact bytes, in a folder for each partition.

An answer is `<folder>/<partition>/<time of receipt>[-<mark>]-<hash of its bytes>.json`. What must not be used is kept apart, each content
once. What an answer means belongs to its domain.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from mlops_assets.storage.lake import Lake

TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"
SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Landed:
    """One accepted answer: its partition, the time (UTC) it was received, its lake key, and the mark in its name, if it has one."""

    partition: str
    received_at: datetime
    key: str
    mark: str = ""

    @property
    def name(self) -> str:
        """The last part of its key, without the suffix."""
        return PurePosixPath(self.key).stem

    @property
    def content(self) -> str:
        """The hash of its bytes."""
        return self.name.rpartition("-")[2]


class Landing:
    """The answers that are kept below `accepted`, and those that must not be used below `blocked`: both folders of one lake."""

    def __init__(self, lake: Lake, accepted: str, blocked: str) -> None:
        self._lake = lake
        self._accepted = accepted
        self._blocked = blocked

    def accept(self, partition: str, received_at: datetime, body: bytes, mark: str = "") -> Landed:
        """Keeps an answer. `mark` is ASCII letters and digits that are remembered with it."""
        key = self._write(f"{self._accepted}/{partition}", received_at, body, mark)
        return Landed(partition, received_at, key, mark)

    def block(self, partition: str, received_at: datetime, body: bytes) -> str:
        """Keeps an answer that must not be used, once however often it comes; gives its full address."""
        folder, ending = f"{self._blocked}/{partition}", _ending(body)
        kept = next((key for key in self._lake.keys(folder) if key.endswith(ending)), None)
        return self._lake.location(kept or self._write(folder, received_at, body, ""))

    def answers(self, partition: str) -> list[Landed]:
        """The accepted answers of a partition in the order of receipt."""
        found = (_landed(partition, key) for key in self._lake.keys(f"{self._accepted}/{partition}"))
        return [answer for answer in found if answer is not None]

    def read(self, answer: Landed) -> bytes:
        """The exact bytes that the upstream sent. ValueError if the object has others."""
        return self._read(answer.key)

    def by_partition(self) -> dict[str, list[Landed]]:
        """Partition -> its accepted answers, for every partition that has any."""
        partitions = [PurePosixPath(key).name for key in self._lake.keys(self._accepted)]
        return {partition: answers for partition in partitions if (answers := self.answers(partition))}

    def _write(self, folder: str, received_at: datetime, body: bytes, mark: str) -> str:
        key = f"{folder}/{received_at.astimezone(UTC).strftime(TIME_FORMAT)}{f'-{mark}' if mark else ''}{_ending(body)}"
        if not self._lake.create(key, body):
            self._read(key)  # its name says that it is the same
        return key

    def _read(self, key: str) -> bytes:
        body = self._lake.read(key)
        if not key.endswith(_ending(body)):
            place = self._lake.location(key)
            raise ValueError(f"{place} was changed after it was received: restore it from the backup, or delete it")
        return body


def distinct(answers: Sequence[Landed]) -> list[Landed]:
    """The answers without those whose bytes came before, in the order of receipt."""
    first = {answer.content: answer for answer in reversed(answers)}
    return [answer for answer in answers if first[answer.content] is answer]


def _landed(partition: str, key: str) -> Landed | None:
    """The answer of this key; None for a file that somebody else has put there."""
    time, _, rest = PurePosixPath(key).name.partition("-")
    if not rest.endswith(SUFFIX):
        return None
    try:
        received_at = datetime.strptime(time, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Landed(partition, received_at, key, rest.rpartition("-")[0])


def _ending(body: bytes) -> str:
    """How the name of an object with this content ends."""
    return f"-{hashlib.blake2b(body, digest_size=8).hexdigest()}{SUFFIX}"
