"""Raw records to the columns of a request: types, missing values and known categories, and what is wrong with which record.

Here belongs what a client may send. What the columns are then made into is `served`'s business.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from numbers import Real
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.domain import FieldType

DTYPES: Mapping[FieldType, Any] = {"string": "string[pyarrow]", "boolean": "boolean", "long": "Int64", "double": "Float64"}
"""How each type of request field is stored in a raw frame."""

BOOLEANS = {"true": True, "false": False}
LARGEST_WHOLE = 2**53
"""Beyond it float64 does not hold every whole number."""

SHOWN_RECORDS = 10
"""Faulty records that the text of an error names."""
LISTED_PROBLEMS = 100
"""Problems that an error lists."""
REQUIRED, UNREADABLE, UNKNOWN = range(3)


class Field(NamedTuple):
    """What a `RequestField` says of values."""

    name: str
    type: FieldType
    required: bool
    nullable: bool = False
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one value: the record's position from 0, the field, and the rest of a sentence that begins with the field."""

    record: int
    field: str
    message: str


class InvalidRecordsError(ValueError):
    """Records that the model cannot score. Enrichers raise it for values that they cannot read.

    `problems`: the first ones, by record; `total`: how many there are. The text names records (as rows, from 0), fields and values.
    """

    def __init__(self, problems: Sequence[Problem], *, total: int, faulty: int, records: int) -> None:
        """`faulty` of the `records` have `total` problems, of which `problems` are the first."""
        self.problems = tuple(problems)
        self.total = total
        by_record: dict[int, list[str]] = {}
        for problem in self.problems:
            by_record.setdefault(problem.record, []).append(f"{problem.field} {problem.message}".strip())
        shown = "; ".join(f"row {record}: {', '.join(texts)}" for record, texts in list(by_record.items())[:SHOWN_RECORDS])
        super().__init__(f"{shown} ({faulty} of {records} rows)")


class _Finding(NamedTuple):
    """A problem not yet put into words."""

    record: int
    place: int
    """The field's position."""
    kind: int
    value: Any


class RequestReader:
    """Reads records of the given fields.

    In a mapping None is the one missing value, and a value is of its type as JSON has it; text also takes finite numbers (the upstream's
    identifiers; a whole one has no decimal point) and times (ISO 8601). In a DataFrame NaN, NA and NaT are missing as well, and a boolean
    may be a word or 0 and 1. Neither takes text as a number, a boolean as a number or as text, bytes, or a number that is not finite.
    A field without a value is a problem where it is required; a nullable one only where its key is absent.
    """

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)
        self._known = [frozenset(field.categories) | {None} if field.categories else None for field in self.fields]

    def columns(self, records: pd.DataFrame | Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Field -> float64[n] with NaN, or object[n] of str and None for text. InvalidRecordsError lists what is wrong."""
        if not isinstance(records, pd.DataFrame):
            return self._of_mappings(records)
        arrays = self._of_frame(records)
        return {field.name: _plain_array(arrays[field.name], field.type) for field in self.fields}

    def frame(self, records: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """The columns as a frame of `DTYPES`, with a new index. InvalidRecordsError lists what is wrong."""
        columns: Mapping[str, Any] = self._of_frame(records) if isinstance(records, pd.DataFrame) else self._of_mappings(records)
        return pd.DataFrame({field.name: pd.array(columns[field.name], dtype=DTYPES[field.type]) for field in self.fields}, copy=False)

    def _of_mappings(self, records: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        for number, record in enumerate(records):
            if not isinstance(record, Mapping):
                raise InvalidRecordsError([Problem(number, "", "it is not an object")], total=1, faulty=1, records=len(records))
        columns = {}
        findings: list[_Finding] = []
        for place, (field, known) in enumerate(zip(self.fields, self._known, strict=True)):
            values = [record.get(field.name) for record in records]
            if not _are_plain(values, field, known):
                values = list(self._examined(records, values, place, findings))
            columns[field.name] = _objects(values) if field.type == "string" else np.array(values, dtype=np.float64)
        self._require_none(findings, len(records))
        return columns

    def _examined(
        self, records: Sequence[Mapping[str, Any]], values: Iterable[Any], place: int, findings: list[_Finding]
    ) -> Iterable[str | bool | int | float | None]:
        """The values one by one, None in place of what is wrong, which is added to `findings`."""
        field, known = self.fields[place], self._known[place]
        for number, value in enumerate(values):
            found = None
            if value is None:
                if field.required and not (field.nullable and field.name in records[number]):
                    findings.append(_Finding(number, place, REQUIRED, None))
            else:
                try:
                    found = _read(value, field.type)
                except (TypeError, ValueError, OverflowError):
                    findings.append(_Finding(number, place, UNREADABLE, value))
                if known is not None and found not in known:
                    findings.append(_Finding(number, place, UNKNOWN, found))
            yield found

    def _of_frame(self, frame: pd.DataFrame) -> dict[str, Any]:
        """Field -> pandas array of its `DTYPES`."""
        arrays = {}
        findings: list[_Finding] = []
        for place, field in enumerate(self.fields):
            arrays[field.name], unreadable = _array(frame, field)
            findings += [_Finding(record, place, UNREADABLE, value) for record, value in unreadable.items()]
            missing = pd.isna(arrays[field.name])
            if field.required and not (field.nullable and field.name in frame):
                absent = np.flatnonzero(missing).tolist()
                findings += [_Finding(record, place, REQUIRED, None) for record in absent if record not in unreadable]
            if field.categories:
                texts = pd.Series(arrays[field.name])
                strange = np.flatnonzero(~missing & ~texts.isin(field.categories).to_numpy(dtype=bool)).tolist()
                findings += [_Finding(record, place, UNKNOWN, texts[record]) for record in strange]
        self._require_none(findings, len(frame))
        return arrays

    def _require_none(self, findings: list[_Finding], records: int) -> None:
        if not findings:
            return
        findings.sort(key=lambda finding: finding[:2])
        problems = [self._problem(finding) for finding in findings[:LISTED_PROBLEMS]]
        faulty = len({finding.record for finding in findings})
        raise InvalidRecordsError(problems, total=len(findings), faulty=faulty, records=records)

    def _problem(self, finding: _Finding) -> Problem:
        field = self.fields[finding.place]
        shown = f"{finding.value!r:.80}"
        match finding.kind:
            case 0:
                message = "is required, though it may be null" if field.nullable else "is required"
            case 1:
                message = f"{shown} is not a {field.type}"
            case _:
                nearest = get_close_matches(finding.value[:80], field.categories, n=1, cutoff=0)[0]
                message = f"{shown} is none of its {len(field.categories)} categories; the nearest is {nearest!r}"
        return Problem(finding.record, field.name, message)


def _are_plain(values: Collection[Any], field: Field, known: frozenset[str | None] | None) -> bool:
    """Whether every value is one of the field as it stands, so that none has to be looked at; a quick no is no harm."""
    kinds = set(map(type, values))
    if NoneType in kinds:
        if field.required:
            return False
        kinds.remove(NoneType)
    match field.type:
        case "string":
            if known is not None:
                return kinds <= {str} and known.issuperset(values)
            return kinds <= {str} and all(value is None or value.isascii() for value in values)
        case "boolean":
            return kinds <= {bool}
        case "long":
            return kinds <= {int} and all(value is None or abs(value) <= LARGEST_WHOLE for value in values)
        case "double":
            return kinds <= {float} and all(value is None or isfinite(value) for value in values)


def _array(frame: pd.DataFrame, field: Field) -> tuple[Any, dict[int, Any]]:
    """One field of a frame as a pandas array, and record -> value of what is not of its type; that is missing in the array."""
    dtype = DTYPES[field.type]
    if field.name not in frame:
        return pd.array([None] * len(frame), dtype=dtype), {}
    column = frame[field.name]
    if field.type != "double" and column.dtype == dtype:
        return column.array, {}
    if field.type == "double" and pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        infinite = np.isinf(numbers)
        array = pd.array(np.where(infinite, np.nan, numbers), dtype=dtype)
        return array, {record: float(numbers[record]) for record in np.flatnonzero(infinite).tolist()}
    given = column.to_numpy(dtype=object)
    if field.type == "string" and pd.api.types.infer_dtype(given, skipna=True) in ("string", "empty"):
        return pd.array(given, dtype=dtype), {}
    values: list[Any] = []
    unreadable = {}
    for record, value in enumerate(given):
        try:
            is_missing = pd.api.types.is_scalar(value) and pd.isna(value)
            values.append(None if is_missing else _boolean(value) if field.type == "boolean" else _read(value, field.type))
        except (TypeError, ValueError, OverflowError):
            values.append(None)
            unreadable[record] = value
    return pd.array(values, dtype=dtype), unreadable


def _plain_array(array: Any, kind: FieldType) -> np.ndarray:
    plain: np.ndarray = array.to_numpy(dtype=object, na_value=None) if kind == "string" else array.to_numpy(np.float64, na_value=np.nan)
    return plain


def _objects(values: Sequence[Any]) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _read(value: Any, kind: FieldType) -> str | bool | int | float:
    """A value of the field's type. TypeError, ValueError or OverflowError if it is none."""
    if kind == "string":
        return _text(value)
    if isinstance(value, (bool, np.bool_)):
        if kind == "boolean":
            return bool(value)
    elif kind != "boolean" and (number := _finite(value)) is not None:
        if kind == "double":
            return number
        if number.is_integer() and abs(number) <= LARGEST_WHOLE:
            return int(number)
    raise TypeError(f"not a {kind}")


def _text(value: Any) -> str:
    if isinstance(value, str):
        value.encode()  # half a surrogate pair is no text
        return value
    if isinstance(value, (bool, np.bool_)):
        raise TypeError("not text")
    if (number := _finite(value)) is not None:
        return str(int(value)) if number.is_integer() else str(number)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise TypeError("not text")


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, Real) and isfinite(value) else None


def _boolean(value: Any) -> bool:
    """As a table may have it."""
    if isinstance(value, str):
        value = BOOLEANS.get(value.strip().lower())
    if isinstance(value, (bool, np.bool_)) or value in (0, 1):
        return bool(value)
    raise ValueError("not a boolean")
