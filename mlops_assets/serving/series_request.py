"""What a request asks of a forecasting system: how far, and which series. Everything that is wrong with it is named by field.

Whether a series exists only the stored data know: `unknown_series` says so when it does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.datastructures import QueryParams

from mlops_assets.domain import ForecastDomain
from mlops_assets.serving.errors import SHOWN_ERRORS, ApiError, RecordError
from mlops_assets.serving.records import SHOWN_NAME, kind_of

HORIZON = "horizon"
KNOWN_AT_MOST = 50
"""Series that an answer names."""


@dataclass(frozen=True, slots=True)
class Span:
    """A whole number that a query may have: its name, what it is without it, and the most that it may be."""

    name: str
    default: int
    most: int


HOURS = Span("hours", 168, 366 * 24)
DAYS = Span("days", 28, 366)


@dataclass(frozen=True, slots=True)
class Asked:
    """`number`: hours ahead, or hours or days back. `series`: its id, None is the total; `is_named`: whether the request says which."""

    number: int
    series: str | None
    is_named: bool


def parse_forecast(body: bytes, domain: ForecastDomain) -> Asked:
    """`{"horizon": 24, "<id column>": null}`, both optional. ApiError 422 for anything else: a misspelled key would do nothing."""
    example = f'{{"{HORIZON}": {domain.horizon}, "{domain.id_column}": null}}'
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(422, f"the body is not JSON such as {example}: {error}") from None
    if type(document) is not dict:
        raise ApiError(422, f"the body must be an object such as {example}, not {kind_of(document)}")
    problems = _unknown(document, (HORIZON, domain.id_column))
    horizon, series = document.get(HORIZON), document.get(domain.id_column)
    if horizon is None:
        horizon = domain.horizon
    elif type(horizon) is not int or not 1 <= horizon <= domain.max_horizon:
        problems.append(RecordError(f"must be a whole number from 1 to {domain.max_horizon}, not {_shown(horizon)}", field=HORIZON))
    if series is not None and type(series) is not str:
        problems.append(RecordError(f"must be text, or null for {domain.total}, not {_shown(series)}", field=domain.id_column))
    _require_none(problems)
    return Asked(horizon, series, is_named=True)


def parse_query(query: QueryParams, domain: ForecastDomain, span: Span) -> Asked:
    """`?hours=168&<id column>=`, both optional; an id without text is the total. ApiError 422 for anything else."""
    problems = _unknown(query, (span.name, domain.id_column))
    text = query.get(span.name, str(span.default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(span.most)) else 0
    if not 1 <= number <= span.most:
        problems.append(RecordError(f"must be a whole number from 1 to {span.most}, not {_shown(text)}", field=span.name))
    _require_none(problems)
    return Asked(number, query.get(domain.id_column) or None, is_named=domain.id_column in query)


def unknown_series(domain: ForecastDomain, series: str | None, known: Mapping[str | None, str]) -> ApiError:
    """422 that names the series there are; `known`: id -> name."""
    named = [f"{identifier} ({name})" for identifier, name in known.items() if identifier is not None]
    more = f" and {len(named) - KNOWN_AT_MOST} more" if len(named) > KNOWN_AT_MOST else ""
    there_are = f"there are: {', '.join(named[:KNOWN_AT_MOST]) or 'none'}{more}; without one it is {domain.total}"
    problem = RecordError(f"{_shown(series)} is no series of {domain.name}; {there_are}", field=domain.id_column)
    return _refusal([problem])


def _unknown(given: Mapping[str, Any], fields: tuple[str, ...]) -> list[RecordError]:
    message = f"is no field of this request; the fields are: {', '.join(fields)}"
    return [RecordError(message, field=name[:SHOWN_NAME]) for name in sorted(given.keys() - set(fields))]


def _require_none(problems: list[RecordError]) -> None:
    if problems:
        raise _refusal(problems)


def _refusal(problems: list[RecordError]) -> ApiError:
    return ApiError(422, "; ".join(f"{problem.field} {problem.message}" for problem in problems[:SHOWN_ERRORS]), problems)


def _shown(value: Any) -> str:
    return f"{value!r:.{SHOWN_NAME}}"
