"""Parses SoQL, the portal's query language: text in, syntax trees out.

Here belongs the grammar; `binding` knows columns and types, `execution` knows rows. Covered: column names, `*`, `:*`, literals,
function calls, comparisons, AND/OR/NOT, BETWEEN, IN, IS [NOT] NULL, aliases, ASC/DESC.
"""

import re
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from mlops_assets.sandbox.socrata.syntax import (
    DEFAULT_LIMIT,
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

Tree = TypeVar("Tree")

TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^']|'')*')
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<star>:?\*)
      | (?P<name>:?@?[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)
      | (?P<symbol><=|>=|!=|<>|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
COMPARISONS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
RESERVED = {"and", "or", "not", "between", "in", "is", "null", "as", "asc", "desc"}


def parse_query(parameters: Mapping[str, str]) -> Query:
    """The query in a request's parameters; a parameter without `$` asks for equality. Raises SoqlError."""
    filters: list[Expression] = []
    clauses: dict[str, str] = {}
    for name, text in parameters.items():
        if name.startswith("$$"):
            continue
        if not name.startswith("$"):
            filters.append(Comparison("=", Column(name), Literal(text)))
        elif name in {"$select", "$where", "$group", "$order", "$limit", "$offset"}:
            clauses[name] = text
        else:
            raise SoqlError("query.soql.unrecognized-arguments", f"Unrecognized arguments [{name}]")
    if "$where" in clauses:
        filters.append(_parse(clauses["$where"], _Parser.condition))
    return Query(
        select=_parse(clauses["$select"], _Parser.selection) if "$select" in clauses else (),
        where=Logic("and", tuple(filters)) if filters else None,
        group=_parse(clauses["$group"], _Parser.grouping) if "$group" in clauses else (),
        order=_parse(clauses["$order"], _Parser.ordering) if "$order" in clauses else (),
        limit=_count("$limit", clauses.get("$limit"), DEFAULT_LIMIT),
        offset=_count("$offset", clauses.get("$offset"), 0),
    )


def _count(name: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"\d+", text):
        raise SoqlError("query.soql.invalid-number", f"Invalid {name}: expected a non-negative whole number, but got {text!r}")
    return int(text)


def _parse(text: str, rule: "Callable[[_Parser], Tree]") -> Tree:
    parser = _Parser(text)
    tree = rule(parser)
    parser.finish()
    return tree


class _Parser:
    """Recursive descent over one clause."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []
        position = 0
        end = len(text.rstrip())
        while position < end:
            match = TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                self._fail("a token", position)
            self._tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            position = match.end()
        self._next = 0

    def finish(self) -> None:
        if self._next < len(self._tokens):
            self._fail("the end of the clause")

    def selection(self) -> tuple[Selected, ...]:
        return self._list(self._selected)

    def grouping(self) -> tuple[Expression, ...]:
        return self._list(self._value)

    def ordering(self) -> tuple[Ordering, ...]:
        return self._list(self._ordering_key)

    def condition(self) -> Expression:
        return self._chain("or", lambda: self._chain("and", self._negation))

    def _selected(self) -> Selected:
        star = self._take("star")
        if star:
            return Selected(Column(star), star)
        value = self._value()
        if self._take_word("as"):
            return Selected(value, self._name())
        return Selected(value, _default_name(value))

    def _ordering_key(self) -> Ordering:
        value = self._value()
        descending = self._take_word("desc")
        if not descending:
            self._take_word("asc")
        return Ordering(value, descending)

    def _chain(self, operator: str, term: "Callable[[], Expression]") -> Expression:
        terms = [term()]
        while self._take_word(operator):
            terms.append(term())
        return terms[0] if len(terms) == 1 else Logic(operator, tuple(terms))

    def _negation(self) -> Expression:
        return Not(self._negation()) if self._take_word("not") else self._comparison()

    def _comparison(self) -> Expression:
        if self._take("symbol", "("):
            inner = self.condition()
            self._expect(")")
            return inner
        left = self._value()
        operator = self._take("symbol", *COMPARISONS)
        if operator:
            return Comparison(COMPARISONS[operator], left, self._value())
        if self._take_word("is"):
            negated = self._take_word("not")
            if not self._take_word("null"):
                self._fail("`NULL'")
            return Not(IsNull(left)) if negated else IsNull(left)
        negated = self._take_word("not")
        test = self._membership(left)
        return Not(test) if negated else test

    def _membership(self, left: Expression) -> Expression:
        if self._take_word("between"):
            low = self._value()
            if not self._take_word("and"):
                self._fail("`AND'")
            return Logic("and", (Comparison(">=", left, low), Comparison("<=", left, self._value())))
        if self._take_word("in"):
            self._expect("(")
            options = self._list(self._value)
            self._expect(")")
            return Logic("or", tuple(Comparison("=", left, option) for option in options))
        if not isinstance(left, Column):
            self._fail("a comparison")
        return Comparison("=", left, Literal(True))

    def _value(self) -> Expression:
        text = self._take("string")
        if text is not None:
            return Literal(text[1:-1].replace("''", "'"))
        number = self._take("number")
        if number is not None:
            return Literal(float(number))
        for word in ("true", "false"):
            if self._take_word(word):
                return Literal(word == "true")
        name = self._name()
        if not self._take("symbol", "("):
            return Column(name)
        arguments: tuple[Expression, ...] = (Column("*"),) if self._take("star") else self._list(self._value)
        self._expect(")")
        return Call(name, arguments)

    def _list(self, item: "Callable[[], Tree]") -> "tuple[Tree, ...]":
        items = [item()]
        while self._take("symbol", ","):
            items.append(item())
        return tuple(items)

    def _name(self) -> str:
        kind, text, _ = self._peek()
        if kind != "name" or text.lower() in RESERVED:
            self._fail("an expression")
        self._next += 1
        return text.strip("`").lower()

    def _peek(self) -> tuple[str, str, int]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "", len(self._text))

    def _take(self, kind: str, *texts: str) -> str | None:
        found, text, _ = self._peek()
        if found != kind or (texts and text not in texts):
            return None
        self._next += 1
        return text

    def _take_word(self, word: str) -> bool:
        kind, text, _ = self._peek()
        if kind != "name" or text.lower() != word:
            return False
        self._next += 1
        return True

    def _expect(self, symbol: str) -> None:
        if not self._take("symbol", symbol):
            self._fail(f"`{symbol}'")

    def _fail(self, expected: str, position: int | None = None) -> NoReturn:
        at = self._peek()[2] if position is None else position
        found = self._text[at : at + 12]
        message = f'Could not parse SoQL query "{self._text}" at line 1 character {at + 1}: Expected {expected}, but got `{found}\''
        raise SoqlError("query.compiler.malformed", message, query=self._text)


def _default_name(value: Expression) -> str:
    """The answer key of an expression without alias: `max_updated_on`, and `count` for `count(*)`."""
    if isinstance(value, Column):
        return value.name
    if isinstance(value, Call):
        inner = [_default_name(argument) for argument in value.arguments]
        return "_".join([value.name, *(name.strip(":") for name in inner if name != "*")])
    return "expression"
