"""The grammar: what is understood, and what is refused where."""

import pytest

from mlops_assets.sandbox.socrata.soql import parse_query
from mlops_assets.sandbox.socrata.syntax import Call, Column, Comparison, IsNull, Literal, Logic, Not, Ordering, SoqlError


def _where(text: str) -> object:
    return parse_query({"$where": text}).where


def test_and_binds_tighter_than_or() -> None:
    a, b, c = (Comparison("=", Column(name), Literal(1.0)) for name in "abc")
    assert parse_query({"$where": "a = 1 OR b = 1 AND c = 1"}).where == Logic("and", (Logic("or", (a, Logic("and", (b, c)))),))
    assert parse_query({"$where": "(a = 1 or b = 1) and c = 1"}).where == Logic("and", (Logic("and", (Logic("or", (a, b)), c)),))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x between 1 and 2", Logic("and", (Comparison(">=", Column("x"), Literal(1.0)), Comparison("<=", Column("x"), Literal(2.0))))),
        ("x in ('a', 'b')", Logic("or", (Comparison("=", Column("x"), Literal("a")), Comparison("=", Column("x"), Literal("b"))))),
        ("x is not null", Not(IsNull(Column("x")))),
        ("x = 'it''s'", Comparison("=", Column("x"), Literal("it's"))),
        (":updated_at <> '2017'", Comparison("!=", Column(":updated_at"), Literal("2017"))),
        ("`Date` >= '2017'", Comparison(">=", Column("date"), Literal("2017"))),
        ("arrest", Comparison("=", Column("arrest"), Literal(True))),
    ],
)
def test_a_condition_becomes_a_tree(text: str, tree: object) -> None:
    assert _where(text) == Logic("and", (tree,))


def test_every_clause_is_read() -> None:
    query = parse_query(
        {"$select": "count(*), max(:updated_at) as newest", "$group": "beat", "$order": "beat DESC, ward", "$limit": "7", "$offset": "3"}
    )
    assert [(item.value, item.name) for item in query.select] == [
        (Call("count", (Column("*"),)), "count"),
        (Call("max", (Column(":updated_at"),)), "newest"),
    ]
    assert query.group == (Column("beat"),)
    assert query.order == (Ordering(Column("beat"), descending=True), Ordering(Column("ward")))
    assert (query.limit, query.offset) == (7, 3)


def test_a_bare_parameter_asks_for_equality() -> None:
    assert parse_query({"year": "2017"}).where == Logic("and", (Comparison("=", Column("year"), Literal("2017")),))


@pytest.mark.parametrize(
    "parameters",
    [
        {"$where": "date >"},
        {"$where": "date = 'open"},
        {"$where": "(a = 1"},
        {"$where": "a = 1 b"},
        {"$select": "a,,b"},
        {"$order": "desc"},
        {"$limit": "-1"},
        {"$flavour": "sweet"},
    ],
)
def test_what_is_no_soql_is_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(SoqlError):
        parse_query(parameters)
