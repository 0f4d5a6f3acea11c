"""Values of several partitions that are loaded or computed one at a time, so that a long range needs the memory of one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Partitioned(Mapping[str, Value]):
    """Partition key -> value, in key order. Nothing is kept: each access loads or computes anew.

    `unchanged(key)` says that the stored partition is still what would be computed, so that storing may pass over it; `note(key)`
    is what the stored partition shall remember; `code` is the digest of the code that computes.
    """

    partitions: Sequence[str]
    compute: Callable[[str], Value]
    unchanged: Callable[[str], bool] = field(default=lambda _: False)
    note: Callable[[str], dict[str, Any]] = field(default=lambda _: {})
    code: str = ""

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
