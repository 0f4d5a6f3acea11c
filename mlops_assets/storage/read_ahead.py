"""Partitions that are asked for one at a time and in order, read with few requests: several at once, more while the order holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ReadAhead(Generic[Value]):
    """Partition -> value by `read`, which is asked for one partition and `most` - 1 that follow it at most.

    It may give fewer, and nothing but the first has to be there. A value is kept until it is asked for, and read anew the next time.
    """

    def __init__(self, partitions: Sequence[str], read: Callable[[Sequence[str]], Mapping[str, Value]], most: int) -> None:
        self._position = {partition: position for position, partition in enumerate(partitions)}
        self._partitions = partitions
        self._read = read
        self._most = most
        self._ahead: dict[str, Value] = {}
        self._length = 1
        self._last = -1

    def get(self, partition: str) -> Value | None:
        """The partition's value; None if there is none."""
        position = self._position[partition]
        if partition not in self._ahead:
            self._length = min(self._most, 2 * self._length) if position == self._last + 1 else 1
            self._ahead = dict(self._read(self._partitions[position : position + self._length]))
        self._last = position
        return self._ahead.pop(partition, None)
