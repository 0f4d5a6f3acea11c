"""Where answers of the batch API are kept in the lake, and what follows from their names. Knows no row of an answer.

Answers are in `answers/<batch>`, what must not be used in `blocked_answers/<batch>`; `collected.json` says that the API has handed out
everything.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from mlops_assets.domains.forest_cover.spec import CADENCE, FOREST_COVER
from mlops_assets.partitions import batch_key
from mlops_assets.storage.lake import Lake
from mlops_assets.storage.landing import Landed
from mlops_assets.storage.landing import Landing as AnswerLanding

ANSWERS = f"{FOREST_COVER.name}/answers"
BLOCKED = f"{FOREST_COVER.name}/blocked_answers"
COLLECTED = f"{FOREST_COVER.name}/collected.json"
UNKNOWN = "unknown"
"""In place of the batch of a blocked answer that names none."""


class Landing(AnswerLanding):
    """The landed answers of one lake."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake, ANSWERS, BLOCKED)

    def accept(self, batch: str, received_at: datetime, body: bytes, mark: str = "") -> Landed:
        """Keeps an answer. The API hands out data, so it has not come to its end."""
        landed = super().accept(batch, received_at, body, mark)
        self._lake.delete(COLLECTED)
        return landed

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
    number = int(newest.partition)
    first = newest if number == CADENCE.count else list(takewhile(lambda answer: answer.partition == newest.partition, newest_first))[-1]
    return Turn(newest.partition, batch_key(min(number + 1, CADENCE.count)), first.received_at + timedelta(seconds=batch_seconds))
