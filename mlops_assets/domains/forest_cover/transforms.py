"""From the API's answers to samples, and from samples to enriched rows. Pure: no I/O, no environment, no Dagster.

Here belongs what the API's values mean. What makes a frame acceptable belongs to `schema`, features to `ml`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.domain import Table
from mlops_assets.domains.forest_cover.spec import COVER_TYPES, NUMBERS, REJECTS, SAMPLES, SOIL_TYPES, WILDERNESS_AREAS
from mlops_assets.domains.forest_cover.terrain import TERRAIN

TEXT = pd.StringDtype("pyarrow")
TIME = pd.DatetimeTZDtype("us", "UTC")

RAW_TYPES: dict[Any, Any] = {
    "answer": TEXT,
    "received_at": TIME,
    "group_number": "int64",
    "batch_number": "int64",
    "rows": "int64",
    "body": TEXT,
}
"""Columns of a raw batch and their types; `received_at` is UTC."""
COLUMN_TYPES: dict[str, Any] = {"string": TEXT, "double": "float64", "long": "int64", "timestamp": TIME}

FIELDS = (*NUMBERS, "wilderness_area", "soil_type", "cover_type")
"""What each of the 13 texts of a row is, in the API's order."""
NUMERIC = (*NUMBERS, "cover_type")
CATEGORIES = {"wilderness_area": WILDERNESS_AREAS, "soil_type": SOIL_TYPES}

NUMBER = r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
NOT_FINITE = r"(?i)^[+-]?(nan|inf|infinity)$"
LARGEST = 1e6
"""No distance (metres), angle or shade on Earth comes near it; sums of larger numbers could overflow."""

SHORT_ROW = "short row"
TOO_MANY_COLUMNS = "too many columns"
NO_ROW = "not a list"


def parse_answer(body: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The samples of an answer, each once, and the rows that are none.

    Samples: sample_id and `FIELDS`, text as `string[pyarrow]`, numbers float64, `cover_type` int64, in the answer's order. Rejected rows:
    [row_number int64 from 0, reason, row as JSON]; of several reasons the first counts. An observation that stands twice in the answer is
    one sample. KeyError or ValueError for a body that is not the API's JSON.
    """
    rows: list[Any] = json.loads(body)["data"]
    reasons = [_misshapen(row) for row in rows]
    numbers = [number for number, reason in enumerate(reasons) if reason is None]
    texts = _columns([rows[number] for number in numbers])
    values, faults = _values(texts)
    for number, fault in zip(numbers, faults, strict=True):
        reasons[number] = fault
    good = np.array([fault is None for fault in faults], dtype=bool)
    samples = pd.DataFrame({name: values[name][good] for name in FIELDS})
    samples["sample_id"] = pd.array(_sample_ids(samples), dtype=TEXT)
    bad = [number for number, reason in enumerate(reasons) if reason is not None]
    rejected = pd.DataFrame(
        {
            "row_number": np.array(bad, dtype=np.int64),
            "reason": pd.array([reasons[number] for number in bad], dtype=TEXT),
            "row": pd.array([json.dumps(rows[number]) for number in bad], dtype=TEXT),
        }
    )
    return samples.drop_duplicates("sample_id", ignore_index=True)[["sample_id", *FIELDS]], rejected


def raw_batch_frame(answers: Iterable[tuple[str, datetime, bytes]]) -> pd.DataFrame:
    """Answers (name, time of receipt in UTC, body) as the raw frame, one row an answer, `body` as text exactly as received.

    KeyError or ValueError for a body that is not the API's JSON.
    """
    rows = []
    for name, received_at, body in answers:
        content = json.loads(body)
        rows.append((name, received_at, content["group_number"], content["batch_number"], len(content["data"]), body.decode()))
    return pd.DataFrame(rows, columns=list(RAW_TYPES)).astype(RAW_TYPES)


def parse_batch(answers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A raw batch as rows of the tables `SAMPLES` and `REJECTS`.

    An observation that several answers brought is one sample, with the time of the first; rejected rows are in the order of receipt.
    """
    samples, rejected = [], []
    received = answers.sort_values("received_at")[["answer", "received_at", "batch_number", "body"]]
    for name, received_at, number, body in received.itertuples(index=False, name=None):
        good, bad = parse_answer(body)
        samples.append(good.assign(first_seen_batch=number, first_seen_at=received_at))
        rejected.append(bad.assign(batch_number=number, answer=name, received_at=received_at))
    unique = pd.concat(samples, ignore_index=True).drop_duplicates("sample_id", ignore_index=True)
    return _as_rows_of(SAMPLES, unique), _as_rows_of(REJECTS, pd.concat(rejected, ignore_index=True))


class ForestEnricher:
    """Adds the terrain features to raw cells. Holds no state; it is an object so that it can travel inside a model."""

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with the columns of `TERRAIN`; rows and other columns stay as they are, a missing number makes its sums missing."""
        columns = {name: frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in NUMBERS}
        return frame.reset_index(drop=True).assign(**_terrain(columns))

    def transform_columns(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The same on plain arrays: numbers float64[n] with NaN for missing, text object[n]."""
        return {**columns, **_terrain(columns)}


def _terrain(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: reduce(np.add, (weight * columns[column] for column, weight in weights.items())) for name, weights in TERRAIN.items()}


def _as_rows_of(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    types = {column.name: COLUMN_TYPES[column.type] for column in table.columns}
    return frame[list(types)].astype(types)


def _misshapen(row: Any) -> str | None:
    if not isinstance(row, list):
        return NO_ROW
    if len(row) != len(FIELDS):
        return SHORT_ROW if len(row) < len(FIELDS) else TOO_MANY_COLUMNS
    for name, value in zip(FIELDS, row, strict=True):
        if not isinstance(value, str):
            return f"{name} is not text"
    return None


def _columns(rows: list[list[str]]) -> dict[str, pa.Array]:
    """Rows of 13 texts as columns; what is not ASCII can be no value of this API, and not all of it can be encoded."""
    columns = zip(*rows, strict=True) if rows else [()] * len(FIELDS)
    return {
        name: pa.array([text if text.isascii() else "?" for text in column], pa.large_string())
        for name, column in zip(FIELDS, columns, strict=True)
    }


def _values(texts: Mapping[str, pa.Array]) -> tuple[dict[str, Any], list[str | None]]:
    """Column -> typed values, NaN and anything where they are wrong; and for each row the first thing that is wrong with it."""
    values: dict[str, Any] = {}
    wrong: dict[str, np.ndarray] = {}
    for name in NUMERIC:
        is_number = pc.match_substring_regex(texts[name], NUMBER)
        numbers = pc.if_else(is_number, texts[name], pa.scalar(None, pa.large_string())).cast(pa.float64()).to_numpy(zero_copy_only=False)
        endless = _mask(pc.match_substring_regex(texts[name], NOT_FINITE)) | np.isinf(numbers)
        wrong[f"{name} is not finite"] = endless
        wrong[f"{name} is not a number"] = np.isnan(numbers) & ~endless
        # Zero has two signs and is one value.
        values[name] = numbers + 0.0
    for name in NUMBERS:
        wrong[f"{name} is beyond {LARGEST:.0f}"] = np.abs(values[name]) > LARGEST
    for name, categories in CATEGORIES.items():
        wrong[f"unknown {name.replace('_', ' ')}"] = ~_mask(pc.is_in(texts[name], pa.array(categories, pa.large_string())))
        values[name] = texts[name].to_pandas(types_mapper={pa.large_string(): TEXT}.get).array
    codes = np.nan_to_num(values["cover_type"], nan=-1.0, posinf=-1.0, neginf=-1.0)
    unknown = ~np.isin(codes, list(COVER_TYPES))
    wrong["cover type outside 0..6"] = unknown
    values["cover_type"] = np.where(unknown, -1.0, codes).astype(np.int64)
    first = np.select(list(wrong.values()), list(range(len(wrong))), default=-1)
    names = list(wrong)
    return values, [None if code < 0 else names[code] for code in first]


def _mask(values: pa.Array) -> np.ndarray:
    mask: np.ndarray = values.to_numpy(zero_copy_only=False)
    return mask.astype(bool)


def _sample_ids(samples: pd.DataFrame) -> list[str]:
    """blake2b, 128 bits, of the 13 values: numbers as Python writes them, joined by a bar."""
    columns = [samples[name].tolist() for name in FIELDS]
    return [
        hashlib.blake2b("|".join(value if isinstance(value, str) else repr(value) for value in row).encode(), digest_size=16).hexdigest()
        for row in zip(*columns, strict=True)
    ]
