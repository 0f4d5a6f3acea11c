"""Where answers of the batch API are kept in the lake, and what follows from their names. Knows no row of an answer.

An answer is an immutable object `answers/<batch>/<time of receipt>-<hash>.json`, exact bytes. What must not be used is kept under
`blocked_answers`, each content once; `collected.json` says that the API has handed out everything.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import PurePosixPath

from mlops_assets.domains.forest_cover.spec import CADENCE, FOREST_COVER
from mlops_assets.partitions import batch_key
from mlops_assets.storage.lake import Lake

ANSWERS = f"{FOREST_COVER.name}/answers"
BLOCKED = f"{FOREST_COVER.name}/blocked_answers"
COLLECTED = f"{FOREST_COVER.name}/collected.json"
UNKNOWN = "unknown"
"""In place of the batch of a blocked answer that names none."""

TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"
SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Landed:
    """One accepted answer: its batch (partition key), the time (UTC) it was received, and its lake key."""

    batch: str
    received_at: datetime
    key: str


class Landing:
    """The landed answers of one lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def accept(self, batch: str, received_at: datetime, body: bytes) -> Landed:
        """Keeps an answer. The API hands out data, so it has not come to its end."""
        key = self._write(f"{ANSWERS}/{batch}", received_at, body)
        self._lake.delete(COLLECTED)
        return Landed(batch, received_at, key)

    def block(self, batch: str, received_at: datetime, body: bytes) -> str:
        """Keeps an answer that must not be used, once however often it comes; gives its full address."""
        folder, ending = f"{BLOCKED}/{batch}", _ending(body)
        kept = next((key for key in self._lake.keys(folder) if key.endswith(ending)), None)
        return self._lake.location(kept or self._write(folder, received_at, body))

    def answers(self, batch: str) -> list[Landed]:
        """The accepted answers of a batch in the order of receipt."""
        found = ((_received_at(PurePosixPath(key).name), key) for key in self._lake.keys(f"{ANSWERS}/{batch}"))
        return [Landed(batch, received_at, key) for received_at, key in found if received_at]

    def read(self, answer: Landed) -> bytes:
        """The exact bytes that the API sent."""
        return self._lake.read(answer.key)

    def by_batch(self) -> dict[str, list[Landed]]:
        """Batch -> its accepted answers, for every batch that has any."""
        batches = [PurePosixPath(key).name for key in self._lake.keys(ANSWERS)]
        return {batch: answers for batch in batches if (answers := self.answers(batch))}

    def end(self, detail: str) -> None:
        """Notes that the API has handed out everything, in its own words."""
        note = {"detail": detail, "said_at": datetime.now(UTC).isoformat(timespec="seconds")}
        self._lake.write(COLLECTED, json.dumps(note, ensure_ascii=False).encode())

    def ended(self) -> str | None:
        """When and how the API said that everything is handed out; None if it has not, or has gone on since."""
        try:
            note = json.loads(self._lake.read(COLLECTED))
        except FileNotFoundError:
            return None
        return f"{note['said_at']}: {note['detail']}"

    def _write(self, folder: str, received_at: datetime, body: bytes) -> str:
        key = f"{folder}/{received_at.astimezone(UTC).strftime(TIME_FORMAT)}{_ending(body)}"
        self._lake.write(key, body)
        return key


def distinct(answers: Sequence[Landed]) -> list[Landed]:
    """The answers without those whose bytes came before, in the order of receipt."""
    first = {answer.key.rpartition("-")[2]: answer for answer in reversed(answers)}
    return [answer for answer in answers if first[answer.key.rpartition("-")[2]] is answer]


def _received_at(name: str) -> datetime | None:
    """The time (UTC) in the name of an answer; None for a file that somebody else has put there."""
    try:
        return datetime.strptime(name.partition("-")[0], TIME_FORMAT).replace(tzinfo=UTC) if name.endswith(SUFFIX) else None
    except ValueError:
        return None


def _ending(body: bytes) -> str:
    """How the name of an object with this content ends."""
    return f"-{hashlib.blake2b(body, digest_size=8).hexdigest()}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Turn:
    """The batch that the API stays with (None before the first answer), and the one that it is due to hand out from `at` (UTC) on."""

    current: str | None
    due: str
    at: datetime


def next_turn(answers: Sequence[Landed], batch_seconds: float) -> Turn:
    """What comes after these answers of all batches, if the API stays `batch_seconds` with a batch.

    The newest answer says where the API is, even after a restart. The last batch is due again: only the API says that it was the last.
    """
    if not answers:
        return Turn(None, batch_key(1), datetime.min.replace(tzinfo=UTC))
    newest_first = sorted(answers, key=lambda answer: answer.received_at, reverse=True)
    newest = newest_first[0]
    number = int(newest.batch)
    first = newest if number == CADENCE.count else list(takewhile(lambda answer: answer.batch == newest.batch, newest_first))[-1]
    return Turn(newest.batch, batch_key(min(number + 1, CADENCE.count)), first.received_at + timedelta(seconds=batch_seconds))
