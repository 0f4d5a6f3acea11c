"""From the bytes of a request to its records, and from what is wrong with them to an error that names record and field.

Here belongs the shape of a request. Whether a value can be scored is the model's own business.
"""

import json
import math
from collections.abc import Iterator, Set
from typing import Any

import orjson

from mlops_assets.ml.request import InvalidRecordsError
from mlops_assets.serving.errors import ApiError, RecordError

Record = dict[str, Any]


class _NotFinite(str):
    """A literal such as `NaN` or `1e999`, where it stood."""

    __slots__ = ()


def parse_records(body: bytes, key: str, fields: Set[str], max_records: int) -> list[Record]:
    """The list of records under `key`, the only key of the body's object.

    ApiError 422 if the body is anything else, if there are no records or more than `max_records`, or if a record is no object or has
    a field that is not in `fields`: a misspelled optional field would otherwise count as missing without a word.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(body, key, error) from None
    if type(document) is not dict or document.keys() != {key}:
        raise ApiError(422, f'the body must be an object with the one key "{key}": {{"{key}": [{{...}}, ...]}}; {_what_it_is(document)}')
    records = document[key]
    if type(records) is not list:
        raise ApiError(422, f'"{key}" must be a list of records, not {_kind(records)}')
    if not 1 <= len(records) <= max_records:
        raise ApiError(422, f'"{key}" must hold 1 to {max_records} records, not {len(records)}')
    for record in records:
        if type(record) is not dict or not record.keys() <= fields:
            raise _refused(list(_misshapen(records, fields)), len(records))
    return records


def unscorable(error: InvalidRecordsError) -> ApiError:
    """422 with the problems that the model found."""
    problems = [RecordError(problem.message, problem.record, problem.field or None) for problem in error.problems]
    return ApiError(422, f"the records cannot be scored: {error}", problems, total=error.total)


def _misshapen(records: list[Any], fields: Set[str]) -> Iterator[RecordError]:
    for number, record in enumerate(records):
        if type(record) is not dict:
            yield RecordError(f"must be an object, not {_kind(record)}", number)
            continue
        for name in sorted(record.keys() - fields):
            yield RecordError(f"is no field of a record; the fields are: {', '.join(sorted(fields))}", number, name)


def _refused(problems: list[RecordError], count: int) -> ApiError:
    faulty = len({problem.record for problem in problems})
    first = problems[0]
    where = f"row {first.record}: {first.field or 'it'} {first.message}"
    return ApiError(422, f"the records cannot be scored: {where} ({faulty} of {count} rows)", problems)


def _not_json(body: bytes, key: str, error: orjson.JSONDecodeError) -> ApiError:
    """JSON knows no NaN and no infinity, but Python's parser reads them, and so finds where they are."""
    try:
        document = json.loads(body, parse_constant=_NotFinite, parse_float=_float)
    except (ValueError, RecursionError):
        document = None
    records = document.get(key) if isinstance(document, dict) else None
    found = [
        RecordError(f"{value} is not a JSON number; send null for a missing value", number, name)
        for number, record in enumerate(records if isinstance(records, list) else [])
        for name, value in (record.items() if isinstance(record, dict) else ())
        if isinstance(value, _NotFinite)
    ]
    return _refused(found, len(records or ())) if found else ApiError(422, f"the body is not JSON (NaN and Infinity are not): {error}")


def _float(literal: str) -> float | _NotFinite:
    value = float(literal)
    return value if math.isfinite(value) else _NotFinite(literal)


def _what_it_is(document: Any) -> str:
    return f"it has the keys: {', '.join(sorted(document)) or 'none'}" if isinstance(document, dict) else f"it is {_kind(document)}"


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
