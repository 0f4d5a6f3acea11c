"""Runs bound queries over partitions and reads as few of them as it can.

Here belong filtering, grouping, ordering and paging. Months outside a condition on `date` are never loaded; counts and the greatest
`:updated_at` of whole months come from the partitions' own numbers.
"""

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.sandbox.socrata.binding import BoundQuery, is_aggregate
from mlops_assets.sandbox.socrata.evaluation import holds_for, row_values, value_range, wire_values
from mlops_assets.sandbox.socrata.syntax import Call, Column, Ordering
from mlops_assets.sandbox.socrata.tables import Partition

PARTITION_ORDERED = {Column(":id"), Column("date")}
"""Keys by which all rows of a month come before all rows of the next."""
MERGES: Mapping[str, Callable[[Any, Any], Any]] = {"count": operator.add, "sum": operator.add, "min": min, "max": max}


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows in wire form and, unless they are aggregates, how many come from each month."""

    table: pa.Table
    months: Mapping[str, int]


def execute(query: BoundQuery, partitions: Sequence[Partition], types: Mapping[str, str], rng: np.random.Generator) -> Answer:
    """The rows that the query asks for. What `$order` leaves open is open: `rng` decides it."""
    live = [partition for partition in partitions if partition.rows and holds_for(query.where, partition) is not False]
    if query.aggregates:
        return Answer(_aggregate(query, live, types, rng), {})
    return _rows(query, live, types, rng)


def _filtered(query: BoundQuery, partition: Partition, types: Mapping[str, str]) -> pa.Table:
    table = partition.load()
    if query.where is None or holds_for(query.where, partition):
        return table
    return table.filter(row_values(query.where, table, types))


def _rows(query: BoundQuery, live: Sequence[Partition], types: Mapping[str, str], rng: np.random.Generator) -> Answer:
    if query.order and query.order[0].value not in PARTITION_ORDERED:
        batches: Iterable[Sequence[Partition]] = [live]
    elif query.order:
        batches = [[partition] for partition in (reversed(live) if query.order[0].descending else live)]
    else:
        batches = [[live[position]] for position in rng.permutation(len(live))]
    skip, wanted = query.offset, query.limit
    pages: list[pa.Table] = []
    months: Counter[str] = Counter()
    for batch in batches:
        if wanted == 0:
            break
        known = [partition.rows if holds_for(query.where, partition) else None for partition in batch]
        if None not in known and skip >= sum(filter(None, known)):
            skip -= sum(filter(None, known))
            continue
        tables = [_filtered(query, partition, types) for partition in batch]
        chosen = _ordered(query.order, tables, types, rng)[skip : skip + wanted]
        page = pa.concat_tables(_project(query, table, types) for table in tables).take(chosen) if len(chosen) else None
        skip = max(0, skip - sum(table.num_rows for table in tables))
        wanted -= len(chosen)
        if page is not None:
            pages.append(page)
        _count_months(months, batch, tables, chosen)
    empty = pa.table({item.name: pa.array([], pa.string()) for item in query.select})
    return Answer(pa.concat_tables(pages) if pages else empty, months)


def _project(query: BoundQuery, table: pa.Table, types: Mapping[str, str]) -> pa.Table:
    return pa.table({item.name: wire_values(item.value, table, types) for item in query.select})


def _ordered(order: Sequence[Ordering], tables: Sequence[pa.Table], types: Mapping[str, str], rng: np.random.Generator) -> Any:
    """Positions in the concatenated tables."""
    shuffled = rng.permutation(sum(table.num_rows for table in tables))
    if not order or len(shuffled) == 0:
        return shuffled
    keys = pa.concat_tables(
        pa.table({str(position): row_values(key.value, table, types) for position, key in enumerate(order)}) for table in tables
    ).take(shuffled)
    directions = [(str(position), "descending" if key.descending else "ascending") for position, key in enumerate(order)]
    return shuffled[pc.sort_indices(keys, sort_keys=directions).to_numpy()]


def _count_months(months: "Counter[str]", batch: Sequence[Partition], tables: Sequence[pa.Table], chosen: Any) -> None:
    ends = np.cumsum([table.num_rows for table in tables])
    served = np.bincount(np.searchsorted(ends, chosen, side="right"), minlength=len(batch))
    for partition, rows in zip(batch, served.tolist(), strict=True):
        if partition.month is not None and rows:
            months[partition.month] += rows


def _aggregate(query: BoundQuery, live: Sequence[Partition], types: Mapping[str, str], rng: np.random.Generator) -> pa.Table:
    calls = list(dict.fromkeys(value for value in _values(query) if is_aggregate(value)))
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for partition in live:
        for key, results in _partial(query, calls, partition, types):
            if key in groups:
                groups[key] = [_merge(call, old, new) for call, old, new in zip(calls, groups[key], results, strict=True)]
            else:
                groups[key] = results
    if not query.group and not groups:
        groups[()] = [0 if call.name == "count" else None for call in calls]
    rows = [dict(zip([*query.group, *calls], [*key, *results], strict=True)) for key, results in groups.items()]
    rows = [rows[position] for position in rng.permutation(len(rows))]
    for ordering in reversed(query.order):
        missing = [row for row in rows if row[ordering.value] is None]
        present = [row for row in rows if row[ordering.value] is not None]
        rows = sorted(present, key=lambda row: row[ordering.value], reverse=ordering.descending) + missing
    rows = rows[query.offset : query.offset + query.limit]
    return pa.table({item.name: pa.array([_wire(row[item.value]) for row in rows], pa.string()) for item in query.select})


def _values(query: BoundQuery) -> list[Any]:
    return [*(item.value for item in query.select), *(key.value for key in query.order)]


def _merge(call: Call, old: Any, new: Any) -> Any:
    if old is None or new is None:
        return new if old is None else old
    return MERGES[call.name](old, new)


def _wire(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}"


def _partial(
    query: BoundQuery, calls: Sequence[Call], partition: Partition, types: Mapping[str, str]
) -> Iterable[tuple[tuple[Any, ...], list[Any]]]:
    known = _known(query, calls, partition)
    if known is not None:
        return [known]
    table = _filtered(query, partition, types)
    if table.num_rows == 0:
        return []
    columns = {f"key{position}": row_values(value, table, types) for position, value in enumerate(query.group)}
    aggregations: list[tuple[Any, str]] = []
    for position, call in enumerate(calls):
        if call.arguments == (Column("*"),):
            columns[f"value{position}"] = pa.repeat(True, table.num_rows)
        else:
            columns[f"value{position}"] = row_values(call.arguments[0], table, types)
        aggregations.append((f"value{position}", call.name))
    keys = [name for name in columns if name.startswith("key")]
    result = pa.table(columns).group_by(keys).aggregate(aggregations)
    names = [f"{value}_{function}" for value, function in aggregations]
    return [(tuple(row[name] for name in keys), [row[name] for name in names]) for row in result.to_pylist()]


def _known(query: BoundQuery, calls: Sequence[Call], partition: Partition) -> tuple[tuple[Any, ...], list[Any]] | None:
    """The partition's one group, from its own numbers; None when its rows must be read."""
    if not holds_for(query.where, partition):
        return None
    numbers = {Call("count", (Column("*"),)): partition.rows, Call("max", (Column(":updated_at"),)): partition.newest}
    ranges = [value_range(value, partition) for value in query.group]
    if any(call not in numbers for call in calls) or any(bounds is None or bounds[0] != bounds[1] for bounds in ranges):
        return None
    return tuple(bounds[0] for bounds in ranges if bounds is not None), [numbers[call] for call in calls]
