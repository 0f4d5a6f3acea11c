"""From the bytes of a request to its records, and from what is wrong with them to an error that names record and field.

Here belongs the shape of a request. Whether a value can be scored is the model's own business.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from mlops_assets.domain import RequestField
from mlops_assets.ml.request import InvalidRecordsError
from mlops_assets.serving.errors import SHOWN_ERRORS, ApiError, RecordError

Record = dict[str, Any]

SHOWN_NAME = 80
"""Characters of a name or a value that a request made up."""


class _NotFinite(str):
    """A literal such as `NaN` or `1e999`, where it stood."""

    __slots__ = ()


def parse_records(body: bytes, key: str, fields: Mapping[str, RequestField], max_records: int) -> list[Record]:
    """The list of records under `key`, the only key of the body's object.

    ApiError 422 if the body is anything else, if there are no records or more than `max_records`, or if a record is no object or has
    a field that is not in `fields`: a misspelled optional field would otherwise count as missing without a word. Then the required
    fields that are missing are named as well: one of them is what was misspelled.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(body, key, max_records, error) from None
    if type(document) is not dict or document.keys() != {key}:
        raise ApiError(422, f'the body must be an object with the one key "{key}": {{"{key}": [{{...}}, ...]}}; {_what_it_is(document)}')
    records = document[key]
    if type(records) is not list:
        raise ApiError(422, f'"{key}" must be a list of records, not {kind_of(records)}')
    _require_count(records, key, max_records)
    known = fields.keys()
    for record in records:
        if type(record) is not dict or not record.keys() <= known:
            raise _refused(_misshapen(records, fields), len(records))
    return records


def unscorable(error: InvalidRecordsError) -> ApiError:
    """422 with the problems that the model found."""
    problems = [RecordError(problem.message, problem.record, problem.field or None) for problem in error.problems]
    return ApiError(422, f"the records cannot be scored: {error}", problems, total=error.total)


def _require_count(records: list[Any], key: str, max_records: int) -> None:
    if not 1 <= len(records) <= max_records:
        raise ApiError(422, f'"{key}" must hold 1 to {max_records} records, not {len(records)}')


def _misshapen(records: list[Any], fields: Mapping[str, RequestField]) -> Iterator[RecordError]:
    unknown = f"is no field of a record; the fields are: {', '.join(sorted(fields))}"
    required = {
        field.name: "is required, though it may be null" if field.nullable else "is required" for field in fields.values() if field.required
    }
    for number, record in enumerate(records):
        if type(record) is not dict:
            yield RecordError(f"must be an object, not {kind_of(record)}", number)
            continue
        for name in sorted(record.keys() - fields.keys()):
            yield RecordError(unknown, number, name)
        for name, message in required.items():
            if name not in record:
                yield RecordError(message, number, name)


def _refused(problems: Iterator[RecordError], count: int) -> ApiError:
    """The first problems are kept, all are counted: a body may hold millions."""
    shown: list[RecordError] = []
    faulty: set[int | None] = set()
    total = 0
    for total, problem in enumerate(problems, start=1):  # noqa: B007  # the last number is how many there are
        faulty.add(problem.record)
        if len(shown) < SHOWN_ERRORS:
            shown.append(problem)
    where = f"row {shown[0].record}: {(shown[0].field or 'it')[:SHOWN_NAME]} {shown[0].message}"
    return ApiError(422, f"the records cannot be scored: {where} ({len(faulty)} of {count} rows)", shown, total=total)


def _not_json(body: bytes, key: str, max_records: int, error: orjson.JSONDecodeError) -> ApiError:
    """JSON knows no NaN and no infinity, but Python's parser reads them, and so finds where they are."""
    try:
        document = json.loads(body, parse_constant=_NotFinite, parse_float=_float)
    except (ValueError, RecursionError):
        document = None
    given = document.get(key) if isinstance(document, dict) else None
    records = given if isinstance(given, list) else []
    if any(True for _ in _not_finite(records)):
        _require_count(records, key, max_records)
        return _refused(_not_finite(records), len(records))
    return ApiError(422, f"the body is not JSON (NaN and Infinity are not): {error}")


def _not_finite(records: list[Any]) -> Iterator[RecordError]:
    for number, record in enumerate(records):
        for name, value in record.items() if isinstance(record, dict) else ():
            if isinstance(value, _NotFinite):
                yield RecordError(f"{value:.{SHOWN_NAME}} is not a JSON number; send null for a missing value", number, name)


def _float(literal: str) -> float | _NotFinite:
    value = float(literal)
    return value if math.isfinite(value) else _NotFinite(literal)


def _what_it_is(document: Any) -> str:
    if not isinstance(document, dict):
        return f"it is {kind_of(document)}"
    return f"it has the keys: {', '.join(name[:SHOWN_NAME] for name in sorted(document)[:SHOWN_ERRORS]) or 'none'}"


def kind_of(value: Any) -> str:
    """What JSON calls the value."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
