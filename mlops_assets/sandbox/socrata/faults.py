"""Misbehaviour on demand: what goes wrong between a client and the portal, for the next N matching requests or until cleared.

Here belongs which fault strikes which request, and what it does to the data; `server` plays the faults of the transport.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.sandbox.socrata.tables import NOT_FOUND_POINT, Dataset, Partition, point_json, replace_column

TRANSPORT_KINDS = ("status", "slow", "cut", "html", "invalid_json")
DATA_KINDS = ("missing_column", "renamed_column", "wrong_type", "duplicate_ids", "outside", "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to misbehave.

    Transport kinds: `status` answers with `status`, and Retry-After when `retry_after` (seconds) is given; `slow` waits `seconds`
    first; `cut` sends half of the body and ends the connection; `html` sends a page with status 200; `invalid_json` breaks off.
    Data kinds: `missing_column`; `renamed_column`, `column` to `new_name`; `wrong_type`, `column` becomes text that cannot be read;
    `duplicate_ids`, the first `rows` rows come twice; `outside`, their coordinates are not in Chicago; `empty`, no rows.
    """

    kind: str
    dataset: str | None = None
    month: str | None = None
    """YYYY-MM; a transport fault then strikes requests for that month alone, a data fault all that read it."""
    times: int | None = 1
    """Requests to strike; None until cleared."""
    without_token: bool = False
    """Strike only requests that carry no app token, as the portal throttles them."""
    status: int = 500
    retry_after: int | None = None
    seconds: float = 5.0
    column: str = "arrest"
    new_name: str = "arrest_made"
    rows: int = 5

    def __post_init__(self) -> None:
        if self.kind not in TRANSPORT_KINDS + DATA_KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are: {', '.join(TRANSPORT_KINDS + DATA_KINDS)}")

    def matches(self, dataset: str, months: Collection[str], *, has_token: bool) -> bool:
        """Whether a request that reads these months of the dataset is struck."""
        if (self.dataset is not None and self.dataset != dataset) or (self.without_token and has_token):
            return False
        return self.month is None or (set(months) == {self.month} if self.kind in TRANSPORT_KINDS else self.month in months)


class Faults:
    """The faults that wait for requests. Safe to use from several threads."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = Lock()

    def add(self, kind: str, **options: object) -> Fault:
        """Lets a fault wait; `options` are the fields of `Fault`. ValueError or TypeError for one that does not exist."""
        fault = Fault(kind=kind, **options)  # type: ignore[arg-type]
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Forgets every fault."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> tuple[Fault, ...]:
        """The faults still to come, with the number of times that remains."""
        return tuple(self._waiting)

    def strike(self, dataset: str, months: Collection[str], *, has_token: bool) -> list[Fault]:
        """The faults that strike this request; each is counted."""
        with self._lock:
            struck = [fault for fault in self._waiting if fault.matches(dataset, months, has_token=has_token)]
            self._waiting = [
                fault if fault not in struck or fault.times is None else replace(fault, times=fault.times - 1)
                for fault in self._waiting
                if fault not in struck or fault.times != 1
            ]
        return struck


def spoil(dataset: Dataset, partitions: Sequence[Partition], fault: Fault) -> tuple[Dataset, list[Partition]]:
    """The dataset and its partitions as a data fault leaves them; a column changes in every month, rows only in the fault's."""
    column_kind = fault.kind.endswith(("_column", "_type"))
    spoiled = [
        _spoil_partition(partition, fault, dataset.types) if column_kind or fault.month in (None, partition.month) else partition
        for partition in partitions
    ]
    return replace(dataset, types=_spoil_types(dataset.types, fault)), spoiled


def _spoil_types(types: Mapping[str, str], fault: Fault) -> Mapping[str, str]:
    if fault.kind == "missing_column":
        return {name: kind for name, kind in types.items() if name != fault.column}
    if fault.kind == "renamed_column":
        return {fault.new_name if name == fault.column else name: kind for name, kind in types.items()}
    if fault.kind == "wrong_type":
        return {name: "text" if name == fault.column else kind for name, kind in types.items()}
    return types


def _spoil_partition(partition: Partition, fault: Fault, types: Mapping[str, str]) -> Partition:
    if fault.kind == "empty":
        return replace(partition, rows=0)
    rows = min(fault.rows, partition.rows)
    changes: dict[str, Callable[[pa.Table], pa.Table]] = {
        "renamed_column": lambda table: table.rename_columns({fault.column: fault.new_name}),
        "wrong_type": lambda table: replace_column(table, fault.column, _no_type(table[fault.column], types[fault.column])),
        "duplicate_ids": lambda table: _duplicate(table, rows),
        "outside": lambda table: _move_outside(table, rows),
    }
    change = changes.get(fault.kind)
    if change is None:
        return partition
    more = rows if fault.kind == "duplicate_ids" else 0
    return replace(partition, rows=partition.rows + more, load=lambda: change(partition.load()))


def _no_type(column: pa.ChunkedArray, kind: str) -> pa.Array:
    return pc.if_else(column, "Y", "N") if kind == "checkbox" else pa.repeat("UNKNOWN", len(column))


def _duplicate(table: pa.Table, rows: int) -> pa.Table:
    last = table[":id"][-1].as_py()
    again = replace_column(table.slice(0, rows), ":id", pa.array([f"{last}.{position}" for position in range(rows)], pa.string()))
    return pa.concat_tables([table, again])


def _move_outside(table: pa.Table, rows: int) -> pa.Table:
    mask = pa.array([position < rows for position in range(table.num_rows)])
    for name, value in NOT_FOUND_POINT.items():
        table = replace_column(table, name, pc.if_else(mask, f"{value:.11g}", table[name]))
    return replace_column(table, "location", point_json(table["longitude"], table["latitude"]))
