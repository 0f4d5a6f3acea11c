"""What became of one part of a bucket, for people."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What was done, or would be done where nothing is to be touched."""

    MADE = "made"
    CHANGED = "changed"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    LEFT = "left"
    """Somebody else's: it is not touched."""
    UNKNOWN = "unknown here"
    """The store knows no such thing; nothing depends on it."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Change:
    """A part of a bucket (the bucket itself, public access, a rule), and what became of it. Holds no secret."""

    place: str
    """The bucket's address, or a folder."""
    part: str
    outcome: Outcome
    detail: str = ""
