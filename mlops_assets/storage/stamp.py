"""The stamp that every stored object carries inside itself: its data version and where it came from.

A stamp travels with the bytes, so provenance from the raw partitions to a registered model needs no other store.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

Lineage = dict[str, dict[str, str]]
"""Asset (`domain/stage`) -> partition -> data version."""

ReadEnd = Callable[[int | None], bytes]
"""Gives the last n bytes of an object, or all of it for None: a format fetches no more than it needs to find the stamp."""


MOST_INHERITED = 48
"""Of a window of thousands of hours, every object made from it would otherwise carry half a megabyte of lineage."""


class NoStampError(ValueError):
    """An object without a stamp: not written by this platform."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an object says of itself: `data_version` is the hash of its content, `lineage` every partition it was made from."""

    data_version: str
    lineage: Lineage = field(default_factory=dict)
    code: str = ""
    """Digest of the code that made it."""
    note: dict[str, Any] = field(default_factory=dict)
    """What the producer wants to remember, such as the upstream's own state."""

    def to_json(self) -> bytes:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Stamp":
        """The inverse of `to_json`. ValueError if it is no stamp.

        What a newer release has added is passed over, so that an older one can be put back.
        """
        values = json.loads(data)
        if not isinstance(values, dict) or "data_version" not in values:
            raise ValueError("a stamp names its data_version")
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})

    def as_input(self, asset: str, partition: str) -> Lineage:
        """The lineage that whoever reads this object (stored as `asset`, `partition`) inherits.

        Of an asset with more than `MOST_INHERITED` partitions it is a digest of them all; this object's own stamp has each.
        """
        return merge_lineage(
            [{name: _folded(versions) for name, versions in self.lineage.items()}, {asset: {partition: self.data_version}}]
        )


def folded(lineage: Lineage) -> Lineage:
    """The lineage in which `first...last` and a digest of the data versions stand for the partitions of an asset that has too many."""
    return {asset: _folded(versions) for asset, versions in lineage.items()}


def _folded(versions: dict[str, str]) -> dict[str, str]:
    if len(versions) <= MOST_INHERITED:
        return versions
    content = json.dumps(versions, sort_keys=True).encode()
    return {f"{min(versions)}...{max(versions)}": hashlib.blake2b(content, digest_size=16).hexdigest()}


def merge_lineage(parts: Iterable[Lineage]) -> Lineage:
    """One lineage of many, sorted; two versions of one partition are both kept, joined by `+`, because both were really read."""
    merged: dict[str, dict[str, set[str]]] = {}
    for part in parts:
        for asset, versions in part.items():
            for partition, version in versions.items():
                merged.setdefault(asset, {}).setdefault(partition, set()).update(version.split("+"))
    return {
        asset: {partition: "+".join(sorted(versions)) for partition, versions in sorted(partitions.items())}
        for asset, partitions in sorted(merged.items())
    }
