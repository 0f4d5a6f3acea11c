"""Gives a parsed query its columns and types, and refuses what the portal refuses.

Here belong name and type checks; a bound query holds only known columns, constants of the type they are compared with, and no alias.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mlops_assets.sandbox.socrata.syntax import (
    Call,
    Column,
    Comparison,
    Expression,
    IsNull,
    Literal,
    Logic,
    Not,
    Ordering,
    Query,
    Selected,
    SoqlError,
)
from mlops_assets.sandbox.socrata.tables import SYSTEM_TYPES

TRUNCATIONS = {"date_trunc_y": 4, "date_trunc_ym": 7, "date_trunc_ymd": 10}
"""Function -> characters of a timestamp that it keeps."""
EXTRACTIONS = {"date_extract_y": (0, 4), "date_extract_m": (5, 7), "date_extract_d": (8, 10), "date_extract_hh": (11, 13)}
"""Function -> characters of a timestamp that it reads as a number."""
AGGREGATES = {"count", "min", "max", "sum"}
DATES = {"calendar_date", "fixed_timestamp"}


@dataclass(frozen=True, slots=True)
class BoundQuery:
    """A query that can run: `select` names every answer column and `types` their SODA types, in the same order."""

    select: tuple[Selected, ...]
    types: tuple[str, ...]
    where: Expression | None
    group: tuple[Expression, ...]
    order: tuple[Ordering, ...]
    limit: int
    offset: int

    @property
    def aggregates(self) -> bool:
        """Whether answer rows stand for groups of rows."""
        return bool(self.group) or any(is_aggregate(selected.value) for selected in self.select)


def is_aggregate(value: Expression) -> bool:
    """Whether the expression is one value for many rows."""
    return isinstance(value, Call) and value.name in AGGREGATES


def bind(query: Query, types: Mapping[str, str], *, system_fields: bool) -> BoundQuery:
    """The query on a dataset with these column types. `system_fields`: whether `*` or no `$select` includes them. Raises SoqlError."""
    selected = _expand(query.select or (Selected(Column("*"), "*"),), types, system_fields=system_fields)
    names = [item.name for item in selected]
    for name in names:
        if names.count(name) > 1:
            raise SoqlError("query.soql.duplicate-alias", f"Duplicate alias: {name}", name=name)
    aliases = {item.name: item.value for item in selected if item.value != Column(item.name)}
    bound = [_bind(item.value, types) for item in selected]
    group = tuple(_bind(_unalias(value, aliases), types)[0] for value in query.group)
    order = tuple(replace(key, value=_bind(_unalias(key.value, aliases), types)[0]) for key in query.order)
    result = BoundQuery(
        select=tuple(replace(item, value=value) for item, (value, _) in zip(selected, bound, strict=True)),
        types=tuple(soda_type for _, soda_type in bound),
        where=None if query.where is None else _condition(query.where, types),
        group=group,
        order=order,
        limit=query.limit,
        offset=query.offset,
    )
    if result.aggregates:
        _check_grouping(result)
    return result


def _expand(select: tuple[Selected, ...], types: Mapping[str, str], *, system_fields: bool) -> list[Selected]:
    expanded: list[Selected] = []
    for item in select:
        if item.name == ":*":
            names = [name for name in types if name in SYSTEM_TYPES]
        elif item.name == "*":
            names = [name for name in types if name not in SYSTEM_TYPES or system_fields]
        else:
            expanded.append(item)
            continue
        expanded += [Selected(Column(name), name) for name in names]
    return expanded


def _unalias(value: Expression, aliases: Mapping[str, Expression]) -> Expression:
    return aliases.get(value.name, value) if isinstance(value, Column) else value


def _check_grouping(query: BoundQuery) -> None:
    for value in [*(item.value for item in query.select), *(key.value for key in query.order)]:
        if not is_aggregate(value) and value not in query.group:
            raise SoqlError("query.soql.column-not-in-group-bys", f"Column not in group bys: {_describe(value)}", column=_describe(value))


def _describe(value: Expression) -> str:
    return value.name if isinstance(value, Column | Call) else "expression"


def _bind(value: Expression, types: Mapping[str, str]) -> tuple[Expression, str]:
    """A value with its columns checked, and its SODA type."""
    if isinstance(value, Column):
        if value.name not in types:
            raise SoqlError("query.soql.no-such-column", f"No such column: {value.name}", column=value.name)
        return value, types[value.name]
    if isinstance(value, Literal):
        kind = "checkbox" if isinstance(value.value, bool) else "number" if isinstance(value.value, float) else "text"
        return value, kind
    if isinstance(value, Call):
        return _bind_call(value, types)
    return _condition(value, types), "checkbox"


def _bind_call(call: Call, types: Mapping[str, str]) -> tuple[Expression, str]:
    if (call.name not in AGGREGATES and call.name not in TRUNCATIONS and call.name not in EXTRACTIONS) or len(call.arguments) != 1:
        signature = f"{call.name}/{len(call.arguments)}"
        raise SoqlError("query.soql.no-such-function", f"No such function: {signature}", function=signature)
    if call == Call("count", (Column("*"),)):
        return call, "number"
    argument, kind = _bind(call.arguments[0], types)
    dated = call.name in TRUNCATIONS or call.name in EXTRACTIONS
    if (dated and kind not in DATES) or (call.name == "sum" and kind != "number"):
        raise _mismatch(call.name, kind)
    bound = Call(call.name, (argument,))
    if call.name in TRUNCATIONS:
        return bound, "calendar_date"
    return bound, kind if call.name in {"min", "max", "sum"} else "number"


def _condition(value: Expression, types: Mapping[str, str]) -> Expression:
    if isinstance(value, Logic):
        return replace(value, terms=tuple(_condition(term, types) for term in value.terms))
    if isinstance(value, Not):
        return Not(_condition(value.term, types))
    if isinstance(value, IsNull):
        return IsNull(_bind(value.value, types)[0])
    if isinstance(value, Comparison):
        return _bind_comparison(value, types)
    raise _mismatch("where", _bind(value, types)[1])


def _bind_comparison(comparison: Comparison, types: Mapping[str, str]) -> Comparison:
    left, left_type = _bind(comparison.left, types)
    right, right_type = _bind(comparison.right, types)
    for value in (left, right):
        if is_aggregate(value):
            raise SoqlError("query.soql.aggregate-in-ungrouped-context", f"Aggregate function {_describe(value)} in where clause")
    left, left_type = _coerce(left, left_type, right_type)
    right, right_type = _coerce(right, right_type, left_type)
    if left_type != right_type or left_type == "location":
        raise _mismatch(f"op${comparison.operator}", right_type)
    return Comparison(comparison.operator, left, right)


def _coerce(value: Expression, kind: str, wanted: str) -> tuple[Expression, str]:
    """A quoted constant takes the type it is compared with, if it can be read as such."""
    if not isinstance(value, Literal) or not isinstance(value.value, str) or kind == wanted:
        return value, kind
    try:
        if wanted in DATES:
            return Literal(_timestamp(value.value, wanted)), wanted
        if wanted == "number":
            return Literal(float(value.value)), wanted
    except ValueError:
        return value, kind
    if wanted == "checkbox" and value.value in {"true", "false"}:
        return Literal(value.value == "true"), wanted
    return (value, wanted) if wanted == "row_identifier" else (value, kind)


def _timestamp(text: str, kind: str) -> str:
    moment = datetime.fromisoformat(text).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + ("Z" if kind == "fixed_timestamp" else "")


def _mismatch(function: str, kind: str) -> SoqlError:
    return SoqlError("query.soql.type-mismatch", f"Type mismatch for {function}, is {kind}", type=kind)
