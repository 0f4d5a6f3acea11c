"""Values of bound expressions: over the rows of a table, and over a whole partition without its rows.

Here belongs the meaning of operators and functions. The second kind of value is what lets a query skip or count months unread.
"""

import operator
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.sandbox.socrata.binding import EXTRACTIONS, TRUNCATIONS
from mlops_assets.sandbox.socrata.syntax import Call, Column, Comparison, Expression, IsNull, Literal, Logic, Not
from mlops_assets.sandbox.socrata.tables import Partition

ARROW_COMPARISONS = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
TRUNCATED_REST = {4: "-01-01T00:00:00.000", 7: "-01T00:00:00.000", 10: "T00:00:00.000"}


def row_values(value: Expression, table: pa.Table, types: Mapping[str, str]) -> Any:
    """An Arrow array or scalar that compares and sorts as SODA does: numbers are float64, dates are ISO text."""
    if isinstance(value, Column):
        column = table[value.name]
        return column.cast(pa.float64()) if types[value.name] == "number" else column
    if isinstance(value, Literal):
        return pa.scalar(value.value)
    if isinstance(value, Call):
        text = row_values(value.arguments[0], table, types)
        if value.name in TRUNCATIONS:
            kept = TRUNCATIONS[value.name]
            return pc.binary_join_element_wise(pc.utf8_slice_codeunits(text, 0, kept), TRUNCATED_REST[kept], "")
        return pc.utf8_slice_codeunits(text, *EXTRACTIONS[value.name]).cast(pa.float64())
    if isinstance(value, Comparison):
        return ARROW_COMPARISONS[value.operator](row_values(value.left, table, types), row_values(value.right, table, types))
    if isinstance(value, Not):
        return pc.invert(row_values(value.term, table, types))
    if isinstance(value, IsNull):
        return pc.is_null(row_values(value.value, table, types))
    combine = pc.and_kleene if value.operator == "and" else pc.or_kleene
    result = row_values(value.terms[0], table, types)
    for term in value.terms[1:]:
        result = combine(result, row_values(term, table, types))
    return result


def wire_values(value: Expression, table: pa.Table, types: Mapping[str, str]) -> Any:
    """The same values as the portal writes them."""
    if isinstance(value, Column):
        return table[value.name]
    values = row_values(value, table, types)
    if isinstance(value, Literal):
        return pa.chunked_array([pa.repeat(str(value.value), table.num_rows)])
    return values.cast(pa.int64()).cast(pa.string()) if isinstance(value, Call) and value.name in EXTRACTIONS else values


def holds_for(condition: Expression | None, partition: Partition) -> bool | None:
    """Whether the condition is true for all rows of the partition (True), for none (False), or must be asked of each (None)."""
    if condition is None:
        return True
    if isinstance(condition, Logic):
        answers = [holds_for(term, partition) for term in condition.terms]
        decisive = condition.operator == "or"
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive
    if isinstance(condition, Not):
        answer = holds_for(condition.term, partition)
        return None if answer is None else not answer
    if isinstance(condition, Comparison):
        left, right = value_range(condition.left, partition), value_range(condition.right, partition)
        if left is None or right is None:
            return None
        if _always(condition.operator, left, right):
            return True
        return False if _always(OPPOSITE[condition.operator], left, right) else None
    return None


def value_range(value: Expression, partition: Partition) -> tuple[Any, Any] | None:
    """The smallest and greatest value that the expression may have in the partition; None when unknown."""
    if isinstance(value, Literal):
        return value.value, value.value
    if isinstance(value, Column):
        if value.name == "year" and partition.month is not None:
            return float(partition.month[:4]), float(partition.month[:4])
        return partition.bounds.get(value.name)
    if isinstance(value, Call) and value.name != "date_extract_hh":
        bounds = value_range(value.arguments[0], partition)
        if bounds is None or value.arguments != (Column("date"),):
            return None
        low, high = (_call_on_text(value.name, text) for text in bounds)
        return low, high
    return None


def _call_on_text(function: str, timestamp: str) -> str | float:
    if function in TRUNCATIONS:
        kept = TRUNCATIONS[function]
        return timestamp[:kept] + TRUNCATED_REST[kept]
    return float(timestamp[slice(*EXTRACTIONS[function])])


def _always(symbol: str, left: tuple[Any, Any], right: tuple[Any, Any]) -> bool:
    if symbol == "=":
        return bool(left[0] == left[1] == right[0] == right[1])
    if symbol == "!=":
        return bool(left[1] < right[0] or left[0] > right[1])
    test = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[symbol]
    worst = (left[1], right[0]) if symbol.startswith("<") else (left[0], right[1])
    return bool(test(*worst))
