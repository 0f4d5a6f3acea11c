"""The whole way from raw records to predictions as one fitted object: what is registered, and what serving and scoring call.

Here belong the reading of records and the order of the stages. How a stage works is its own module's business.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mlops_assets.domain import FieldType, RequestField

DTYPES: Mapping[FieldType, Any] = {"string": "string[pyarrow]", "boolean": "boolean", "long": "Int64", "double": "Float64"}
"""How each type of request field is stored in a raw frame."""

BOOLEANS = {"true": True, "false": False}
SHOWN_ROWS = 10

Records = pd.DataFrame | Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Transformer(Protocol):
    """A fitted stage: enricher, encoder or scaler."""

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Frame in, frame out."""


class Classifier(Protocol):
    """A fitted binary classifier over scaled frames."""

    @property
    def threshold(self) -> float:
        """The probability from which on a row is positive."""

    def predict_probability(self, frame: pd.DataFrame) -> np.ndarray:
        """float64[n], the probability of the positive class."""


class InvalidRecordsError(ValueError):
    """Records that the model cannot score; the message names rows (from 0), fields and values."""


class ServedModel:
    """Enricher, encoder, scaler and classifier, fitted together, behind the raw record of `request`."""

    def __init__(
        self, *, enricher: Transformer, encoder: Transformer, scaler: Transformer, model: Classifier, request: Sequence[RequestField]
    ) -> None:
        """Fitted parts; of each request field only name, type and whether it is required are kept."""
        self.enricher = enricher
        self.encoder = encoder
        self.scaler = scaler
        self.model = model
        self.request = tuple((field.name, field.type, field.required) for field in request)

    def predict(self, records: Records) -> pd.DataFrame:
        """One row for each record, in their order: `probability` of the positive class (float64) and `label` (bool).

        A DataFrame's index is kept. Columns that are not in the request are ignored; an optional field may be missing or null.
        InvalidRecordsError if a required field is missing, or if anything that is given cannot be read.
        """
        if isinstance(records, Mapping):
            records = [records]
        index = records.index if isinstance(records, pd.DataFrame) else pd.RangeIndex(len(records))
        if index.empty:
            return pd.DataFrame({"probability": np.empty(0), "label": np.empty(0, dtype=bool)}, index=index)
        raw = self._raw(records)
        try:
            enriched = self.enricher.transform(raw)
        except ValueError as error:
            raise InvalidRecordsError(str(error)) from error
        probability = self.model.predict_probability(self.scaler.transform(self.encoder.transform(enriched)))
        return pd.DataFrame({"probability": probability, "label": probability >= self.model.threshold}, index=index)

    def _raw(self, records: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """The records as a raw frame: the columns and dtypes of the request."""
        columns: dict[str, Any] = {}
        problems: dict[int, list[str]] = {}
        for name, kind, required in self.request:
            columns[name], unreadable = _column(records, name, kind)
            for row, value in unreadable.items():
                problems.setdefault(row, []).append(f"{name} {value!r} is not a {kind}")
            if required:
                for row in np.flatnonzero(pd.isna(columns[name])).tolist():
                    if row not in unreadable:
                        problems.setdefault(row, []).append(f"{name} is required")
        if problems:
            shown = "; ".join(f"row {row}: {', '.join(problems[row])}" for row in sorted(problems)[:SHOWN_ROWS])
            raise InvalidRecordsError(f"{shown} ({len(problems)} of {len(records)} rows)")
        return pd.DataFrame(columns, copy=False)


def _column(records: pd.DataFrame | Sequence[Mapping[str, Any]], name: str, kind: FieldType) -> tuple[Any, dict[int, Any]]:
    """One field of all records as a pandas array, and row -> value of what is not of its type; that is missing in the array."""
    given: Any
    if isinstance(records, pd.DataFrame):
        if name not in records:
            return pd.array([None] * len(records), dtype=DTYPES[kind]), {}
        column = records[name]
        if column.dtype == DTYPES[kind]:
            return column.array, {}
        given = column.to_numpy(dtype=object)
    else:
        given = [record.get(name) for record in records]
    if kind == "string" and pd.api.types.infer_dtype(given, skipna=True) in ("string", "empty"):
        return pd.array(given, dtype=DTYPES[kind]), {}
    values: list[Any] = []
    unreadable = {}
    for row, value in enumerate(given):
        try:
            values.append(_read(value, kind))
        except (TypeError, ValueError):
            values.append(None)
            unreadable[row] = value
    return pd.array(values, dtype=DTYPES[kind]), unreadable


def _read(value: Any, kind: FieldType) -> str | bool | int | float | None:
    """A value of the field's type, or None for a missing one. TypeError or ValueError if it is neither."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    match kind:
        case "string":
            return _text(value)
        case "boolean":
            return _boolean(value)
        case "long":
            number = float(value)
            if not number.is_integer():
                raise ValueError("not a whole number")
            return int(number)
        case "double":
            return float(value)


def _text(value: Any) -> str:
    """Text as it is; a whole number without a decimal point, as the portal writes it; a time in ISO 8601."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)) or not pd.api.types.is_scalar(value):
        raise TypeError("not text")
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        value = BOOLEANS.get(value.strip().lower())
    if isinstance(value, (bool, np.bool_)) or value in (0, 1):
        return bool(value)
    raise ValueError("not a boolean")
