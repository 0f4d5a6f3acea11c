"""Misbehaviour on demand: what goes wrong between a client and the portal.

Here belongs which fault strikes which request, and what it does to the data; the sandboxes' `faults` has those of the transport.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.sandbox.faults import TRANSPORT_KINDS, TransportFault
from mlops_assets.sandbox.socrata.tables import NOT_FOUND_POINT, Dataset, Partition, point_json, replace_column


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(TransportFault):
    """One way to misbehave: those of the transport, and those of the data.

    Data kinds: `missing_column`; `renamed_column`, `column` to `new_name`; `wrong_type`, `column` becomes text that cannot be read;
    `duplicate_ids`, the first `rows` rows come twice; `outside`, their coordinates are not in Chicago; `empty`, no rows.
    """

    KINDS: ClassVar[tuple[str, ...]] = (
        *TRANSPORT_KINDS,
        *("missing_column", "renamed_column", "wrong_type", "duplicate_ids", "outside", "empty"),
    )

    dataset: str | None = None
    month: str | None = None
    """YYYY-MM; a transport fault then strikes requests for that month alone, a data fault all that read it."""
    without_token: bool = False
    """Strike only requests that carry no app token, as the portal throttles them."""
    column: str = "arrest"
    new_name: str = "arrest_made"
    rows: int = 5

    def matches(self, dataset: str, months: Collection[str], *, has_token: bool) -> bool:
        """Whether a request that reads these months of the dataset is struck."""
        if (self.dataset is not None and self.dataset != dataset) or (self.without_token and has_token):
            return False
        return self.month is None or (set(months) == {self.month} if self.kind in TRANSPORT_KINDS else self.month in months)


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
