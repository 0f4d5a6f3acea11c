"""All SQL text: written in DuckDB's dialect, checked and translated by sqlglot. Names come from declared tables, values are bound."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlglot
from sqlglot import exp

from mlops_assets.domain import Column, Table
from mlops_assets.storage.warehouse.schema import SQL_TYPES, has_day_of_its_own, type_of

LIST_LENGTH = 64
"""What sqlglot takes for a list of values grows with the square of its length."""
CLUSTER_COLUMNS = 4
"""The most by which BigQuery clusters a table; it takes any type but floating-point numbers."""
Stored = Mapping[str, Mapping[str, str] | None]
"""Table -> its columns and their types in the engine's words; None: it is not there."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL in one engine's dialect and the values of its parameters, in the order in which they first appear."""

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on rows and the values of its parameters."""

    sql: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __and__(self, other: "Where") -> "Where":
        """Both."""
        return Where(f"{self.sql} AND {other.sql}", {**self.parameters, **other.parameters})


EVERYWHERE = Where("TRUE")


def among(table: Table, name: str, values: Sequence[Any]) -> Where:
    """Rows whose column has one of the values; where engines agree on their order also by their range, which says what need not be read."""
    if not values:
        return Where("FALSE")
    if len(values) == 1:
        return Where(f'"{name}" = :{name}', {name: values[0]})
    parameters = {f"{name}_{number}": value for number, value in enumerate(values)}
    names = [f":{parameter}" for parameter in parameters]
    lists = [f'"{name}" IN ({", ".join(names[at : at + LIST_LENGTH])})' for at in range(0, len(names), LIST_LENGTH)]
    one_of = Where(f"({' OR '.join(lists)})", parameters)
    return one_of if type_of(table, name) == "string" else one_of & between(name, min(values), max(values))


def between(name: str, first: Any, last: Any) -> Where:
    """Rows whose column is in a range, both ends included."""
    return Where(f'"{name}" >= :{name}_first AND "{name}" <= :{name}_last', {f"{name}_first": first, f"{name}_last": last})


def of_partitions(table: Table, values: Sequence[Any]) -> Where:
    """Rows of the partitions, also by their days, which is all that BigQuery then reads."""
    return _with_days(table, among(table, table.partition_column, values), min(values), max(values))


def of_range(table: Table, first: Any, last: Any) -> Where:
    """Rows of all partitions between two, both included, also by their days."""
    return _with_days(table, between(table.partition_column, first, last), first, last)


def create_table(table: Table, dialect: str) -> Statement:
    """Makes the table if it is not there; BigQuery lays it out by day and by key, so that what is asked for by them is all it reads."""
    columns = ", ".join(_definition(column) for column in table.columns)
    tree = sqlglot.parse_one(f'CREATE TABLE IF NOT EXISTS "{table.name}" ({columns})', read="duckdb")
    if dialect == "bigquery" and (layout := _layout(table)):
        tree.set("properties", exp.Properties(expressions=layout))
    return _bound(tree, dialect, {})


def create_index(table: str, columns: Sequence[str]) -> Statement:
    """PostgreSQL only: an index if there is none of these columns. Not `IF NOT EXISTS`, which locks the table even if there is one."""
    name = f"mlops_{hashlib.blake2b(' '.join((table, *columns)).encode(), digest_size=8).hexdigest()}"
    quoted = ", ".join(f'"{column}"' for column in columns)
    index = f'CREATE INDEX {name} ON "{table}" ({quoted})'
    return Statement(f"DO $$ BEGIN IF to_regclass('{name}') IS NULL THEN {index}; END IF; END $$")


def create_stage(table: Table, name: str, dialect: str) -> Statement:
    """A temporary table with the table's columns, gone with the connection."""
    columns = ", ".join(_definition(column) for column in table.columns)
    return _statement(f'CREATE TEMPORARY TABLE "{name}" ({columns})', dialect)


def add_column(table: Table, column: Column, dialect: str) -> Statement:
    """Adds a column that the stored table lacks; its rows have null there."""
    return _statement(f'ALTER TABLE "{table.name}" ADD COLUMN IF NOT EXISTS {_definition(column)}', dialect)


def insert_all(table: Table, source: str, dialect: str) -> Statement:
    """The source's rows as they are."""
    return _statement(_insert(table, source), dialect)


def insert_missing(table: Table, source: str, dialect: str) -> Statement:
    """The source's rows whose key the table does not have."""
    there = f'SELECT 1 FROM "{table.name}" AS t WHERE {_same_key(table)}'  # noqa: S608  # declared names
    return _statement(f"{_insert(table, source)} WHERE NOT EXISTS ({there})", dialect)


def update_changed(table: Table, source: str, dialect: str) -> Statement | None:
    """The table's rows whose key the source has with other values; None if there is nothing but keys."""
    names = [column.name for column in table.columns if column.name not in table.keys]
    if not names:
        return None
    new = ", ".join(f'"{name}" = s."{name}"' for name in names)
    changed = " OR ".join(f't."{name}" IS DISTINCT FROM s."{name}"' for name in names)
    where = f"{_same_key(table)} AND ({changed})"
    return _statement(f'UPDATE "{table.name}" AS t SET {new} FROM "{source}" AS s WHERE {where}', dialect)  # noqa: S608  # declared names


def delete_rows(table: Table, where: Where, dialect: str) -> Statement:
    """The rows that the condition holds for."""
    return _statement(f'DELETE FROM "{table.name}" WHERE {where.sql}', dialect, where.parameters)  # noqa: S608  # declared names


def select_rows(table: Table, stored: Stored, where: Where, dialect: str, columns: Sequence[str] = ()) -> Statement:
    """The rows that the condition holds for, in the table's columns or in some of them."""
    names = ", ".join(f'"{name}"' for name in columns) or _names(table)
    sql = f'SELECT {names} FROM "{table.name}" WHERE {where.sql}'  # noqa: S608  # declared names
    return query(sql, [table], stored, where.parameters, dialect)


def query(sql: str, tables: Sequence[Table], stored: Stored, parameters: Mapping[str, Any], dialect: str) -> Statement:
    """One SELECT over declared tables; a table or column that is declared but not stored yet has no rows, or nulls.

    ValueError if it is anything else, touches another table, or has other parameters than are given.
    """
    tree = _parse(sql)
    known = {table.name: table for table in tables}
    defined = {cte.alias for cte in tree.find_all(exp.CTE)}
    for node in list(tree.find_all(exp.Table)):
        if node.name in defined and not node.db:
            continue
        if node.name not in known or node.db or not isinstance(node.this, exp.Identifier):
            raise ValueError(f"the query reads {node.sql('duckdb')}; it may read {', '.join(known) or 'no table'}")
        substitute = _substitute(known[node.name], stored[node.name])
        if substitute is not None:
            node.replace(exp.Subquery(this=substitute, alias=exp.TableAlias(this=exp.to_identifier(node.alias_or_name, quoted=True))))
    return _bound(tree, dialect, parameters)


def tables_of(sql: str, tables: Sequence[Table]) -> list[Table]:
    """Those of `tables` that the query names."""
    names = {node.name for node in _parse(sql).find_all(exp.Table)}
    return [table for table in tables if table.name in names]


def _parse(sql: str) -> exp.Query:
    try:
        trees = sqlglot.parse(sql, read="duckdb")
    except sqlglot.ParseError as error:
        raise ValueError(f"the query is no SQL: {error}") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise ValueError(f"a query is one SELECT, not: {sql}")
    return trees[0]


def _substitute(table: Table, stored: Mapping[str, str] | None) -> exp.Expr | None:
    missing = [column for column in table.columns if column.name not in (stored or {})]
    nulls = ", ".join(f'CAST(NULL AS {SQL_TYPES[column.type]}) AS "{column.name}"' for column in missing)
    if stored is None:
        return sqlglot.parse_one(f"SELECT {nulls} LIMIT 0", read="duckdb")
    return sqlglot.parse_one(f'SELECT *, {nulls} FROM "{table.name}"', read="duckdb") if missing else None  # noqa: S608  # declared names


def _statement(sql: str, dialect: str, parameters: Mapping[str, Any] | None = None) -> Statement:
    return _bound(sqlglot.parse_one(sql, read="duckdb"), dialect, parameters or {})


def _bound(tree: exp.Expr, dialect: str, parameters: Mapping[str, Any]) -> Statement:
    order: list[str] = []
    for node in list(tree.find_all(exp.Placeholder, bfs=False)):
        if node.name not in parameters:
            raise ValueError(f"the query has a parameter :{node.name}, for which no value is given")
        if node.name not in order:
            order.append(node.name)
        # PostgreSQL numbers its parameters, the others name them.
        name = str(order.index(node.name) + 1) if dialect == "postgres" else node.name
        node.replace(exp.Parameter(this=exp.var(name)))
    if unused := sorted(set(parameters) - set(order)):
        raise ValueError(f"the query has no parameter {', '.join(f':{name}' for name in unused)}")
    return Statement(tree.sql(dialect), {name: parameters[name] for name in order})


def _with_days(table: Table, where: Where, first: Any, last: Any) -> Where:
    if not has_day_of_its_own(table):
        return where
    day = table.day_column
    if type_of(table, day) == "date":
        return where & between(day, first.date(), last.date())
    midnight = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    days = {f"{day}_from": datetime(first.year, first.month, first.day, tzinfo=UTC), f"{day}_before": midnight}
    return where & Where(f'"{day}" >= :{day}_from AND "{day}" < :{day}_before', days)


def _layout(table: Table) -> list[exp.Expr]:
    layout: list[exp.Expr] = []
    if table.day_column:
        column = exp.column(table.day_column, quoted=True)
        by_day = column if type_of(table, table.day_column) == "date" else exp.TimestampTrunc(this=column, unit=exp.var("DAY"))
        layout.append(exp.PartitionedByProperty(this=by_day))
    keys = [key for key in table.keys if type_of(table, key) != "double"][:CLUSTER_COLUMNS]
    if keys:
        layout.append(exp.Cluster(expressions=[exp.column(key, quoted=True) for key in keys]))
    return layout


def _definition(column: Column) -> str:
    return f'"{column.name}" {SQL_TYPES[column.type]}'


def _names(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _insert(table: Table, source: str) -> str:
    return f'INSERT INTO "{table.name}" ({_names(table)}) SELECT {_names(table)} FROM "{source}" AS s'  # noqa: S608  # declared names


def _same_key(table: Table) -> str:
    return " AND ".join(f't."{key}" = s."{key}"' for key in table.keys)
