"""Syntax trees of SoQL, the portal's query language, and the error for a query that the portal refuses. No behaviour here."""

from dataclasses import dataclass

DEFAULT_LIMIT = 1000
"""Rows of an answer when the client sets no `$limit`."""


class SoqlError(Exception):
    """A query that the portal refuses: `code` and `message` are what it answers, `data` the details."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class Column:
    """A column by name; `*` in `count(*)`, and `*` or `:*` as a selection, stand for many."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: text, number or truth value."""

    value: str | float | bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function of columns or constants; the name is lower case."""

    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`, with one of = != < <= > >=."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Logic:
    """`and` or `or` of two or more conditions."""

    operator: str
    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    term: "Expression"


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether a value is missing."""

    value: "Expression"


Expression = Column | Literal | Call | Comparison | Logic | Not | IsNull


@dataclass(frozen=True, slots=True)
class Selected:
    """One answer column, under its alias or the name that the portal makes up."""

    value: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Ordering:
    """One sort key; missing values come last."""

    value: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One request's query. `select` is empty when the client leaves it out."""

    select: tuple[Selected, ...] = ()
    where: Expression | None = None
    group: tuple[Expression, ...] = ()
    order: tuple[Ordering, ...] = ()
    limit: int = DEFAULT_LIMIT
    offset: int = 0
