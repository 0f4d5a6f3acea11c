"""Values of several partitions that are loaded or computed one at a time, so that a long range needs the memory of one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

Value = TypeVar("Value")

GAPS_ALLOWED = "mlops_assets/gaps_allowed"
"""Definition metadata of an asset whose partitions may be gaps, for which nothing is stored: whoever reads it gets the others."""


@dataclass(frozen=True)
class Partitioned(Mapping[str, Value]):
    """Partition key -> value, in key order. Nothing is kept: each access loads or computes anew.

    As an output it may lack some of the run's partitions: for these there is nothing to store.

    `unchanged(key)` says that the stored partition is still what would be computed, so that storing may pass over it; `note(key)`
    is what the stored partition shall remember; `code` is the digest of the code that computes. With `own_events` Dagster logs an event
    for the last partition only, and whoever yields the output logs those of the others, each with its own data version.
    """

    partitions: Sequence[str]
    compute: Callable[[str], Value]
    unchanged: Callable[[str], bool] = field(default=lambda _: False)
    note: Callable[[str], dict[str, Any]] = field(default=lambda _: {})
    code: str = ""
    own_events: bool = False

    def __getitem__(self, key: str) -> Value:
        """Loads or computes the value. KeyError if `key` is none of the partitions."""
        if key not in self.partitions:
            raise KeyError(key)
        return self.compute(key)

    def __contains__(self, key: object) -> bool:
        """Whether `key` is one of the partitions; loads none."""
        return key in self.partitions

    def __iter__(self) -> Iterator[str]:
        """The partition keys."""
        return iter(self.partitions)

    def __len__(self) -> int:
        """How many partitions; loads none."""
        return len(self.partitions)
