"""Rows of text or of an edited table as raw records, scored in parts, and the table that comes back. Pure but for the API's calls."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pandas as pd

from mlops_assets.dashboard.answers import Predictions, RequestField
from mlops_assets.dashboard.client import Api, Record, RecordsRefusedError
from mlops_assets.dashboard.wording import class_name

CHUNK_RECORDS = 1000
"""A part of a large table: far below what the API takes, and small enough to show progress."""
ROW_NUMBER = "row_number"
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class TableError(ValueError):
    """A file that cannot be read as a table of records; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is not scored; `row` counts from 0."""

    row: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Scored:
    """One part of a table after scoring: the predictions for `rows`, and the rows that the API refused."""

    rows: tuple[int, ...]
    answer: Predictions | None
    problems: tuple[Problem, ...]


def read_csv(content: bytes) -> tuple[pd.DataFrame, list[Problem]]:
    """The file's cells as text, empty cells as None, and the rows that have too few or too many. Comma or semicolon; UTF-8."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"The file is not UTF-8 text (byte {error.start:,}). Save it as CSV UTF-8 and upload it again.") from None
    separator = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    try:
        header, *lines = [line for line in csv.reader(io.StringIO(text), delimiter=separator) if line]
    except csv.Error as error:
        raise TableError(f"The file is no CSV: {error}.") from None
    except ValueError:
        raise TableError("The file is empty. Its first line has to name the columns.") from None
    header = [name.strip() for name in header]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise TableError(f"The first line names {', '.join(map(repr, repeated))} more than once.")
    if not lines:
        raise TableError("The file has a header but no rows.")
    width = len(header)
    cells = [[cell.strip() or None for cell in (line + [""] * width)[:width]] for line in lines]
    problems = [
        Problem(row, "", f"has {len(line)} cells where the header has {width}") for row, line in enumerate(lines) if len(line) != width
    ]
    return pd.DataFrame(cells, columns=header, dtype=object), problems


def to_records(
    frame: pd.DataFrame, fields: Sequence[RequestField], faulty: Sequence[Problem] = ()
) -> tuple[dict[int, Record], list[Problem]]:
    """The rows as records by position, and what is wrong with the others. TableError if a needed column is not there.

    Columns that the model does not know are left out, and so are the rows known to be `faulty`.
    """
    absent = [field.name for field in fields if field.required and field.name not in frame.columns]
    if absent:
        raise TableError(f"The table lacks {', '.join(absent)}. It has {', '.join(map(str, frame.columns))}.")
    problems = list(faulty)
    left_out = {problem.row for problem in faulty}
    records: dict[int, dict[str, Any]] = {row: {} for row in range(len(frame)) if row not in left_out}
    for field in fields:
        if field.name not in frame.columns:
            continue
        cells = frame[field.name].tolist()
        for row, record in records.items():
            try:
                record[field.name] = _value(cells[row], field)
            except ValueError as error:
                problems.append(Problem(row, field.name, str(error)))
    left_out = {problem.row for problem in problems}
    return {row: record for row, record in records.items() if row not in left_out}, sorted(problems, key=lambda problem: problem.row)


def score(api: Api, model: str, records: Mapping[int, Record], chunk: int = CHUNK_RECORDS) -> Iterator[Scored]:
    """Scores the records part by part; a record that the API refuses is named and the rest of its part is scored. Raises ApiError."""
    remaining = iter(records)
    while rows := list(islice(remaining, chunk)):
        problems: list[Problem] = []
        answer = None
        while rows:
            try:
                answer = api.predict(model, [records[row] for row in rows])
                break
            except RecordsRefusedError as error:
                named = [
                    (refusal, refusal.record) for refusal in error.refusals if refusal.record is not None and refusal.record < len(rows)
                ]
                if not named:
                    raise
                problems += [Problem(rows[record], refusal.field or "", refusal.message) for refusal, record in named]
                refused = {record for _, record in named}
                rows = [row for position, row in enumerate(rows) if position not in refused]
        yield Scored(tuple(rows), answer, tuple(problems))


def results(frame: pd.DataFrame, parts: Sequence[Scored], problems: Sequence[Problem], classes: Mapping[int, str] | None) -> pd.DataFrame:
    """The table with the row's number first (from 1), then prediction, its name, probabilities, model version and the problem, if any.

    Columns of these names that the table already had are replaced.
    """
    scored: dict[int, dict[str, Any]] = {}
    for part in parts:
        if part.answer:
            for row, label, chances in zip(part.rows, part.answer.predictions, part.answer.probabilities, strict=True):
                probabilities = (
                    {f"probability_{code}": p for code, p in enumerate(chances)} if isinstance(chances, list) else {"probability": chances}
                )
                scored[row] = {
                    "prediction": label,
                    "prediction_name": class_name(label, classes),
                    **probabilities,
                    "model_version": part.answer.model_version,
                }
    named: dict[int, list[str]] = {}
    for problem in [*problems, *(problem for part in parts for problem in part.problems)]:
        named.setdefault(problem.row, []).append(f"{problem.field}: {problem.message}".removeprefix(": "))
    added = pd.DataFrame.from_dict(scored, orient="index").reindex(range(len(frame)))
    added["problem"] = pd.Series({row: "; ".join(messages) for row, messages in named.items()}, dtype=object)
    if "prediction" in added:
        added["prediction"] = added["prediction"].astype("boolean" if not classes else "Int64")
    numbers = pd.Series(range(1, len(frame) + 1), name=ROW_NUMBER)
    kept = frame.drop(columns=[name for name in (ROW_NUMBER, *added.columns) if name in frame.columns]).reset_index(drop=True)
    return pd.concat([numbers, kept, added], axis=1)


def _value(cell: Any, field: RequestField) -> Any:
    """The cell as the field's type; ValueError says what is wrong with it."""
    if cell is None or cell is pd.NA or cell == "" or (isinstance(cell, float) and math.isnan(cell)):
        if not field.may_be_missing:
            raise ValueError("is missing")
        return None
    if field.type == "string":
        text = str(cell)
        if field.categories and text not in field.categories:
            raise ValueError(f"{text!r} is not one of its {len(field.categories)} categories")
        return text
    if field.type == "boolean":
        if str(cell).lower() not in BOOLEANS:
            raise ValueError(f"{cell!r} is neither true nor false")
        return BOOLEANS[str(cell).lower()]
    return _number(cell, whole=field.type == "long")


def _number(cell: Any, *, whole: bool) -> float | int:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"{cell!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{cell!r} is not a finite number")
    if not whole:
        return value
    if not value.is_integer():
        raise ValueError(f"{cell!r} is not a whole number")
    return int(value)
