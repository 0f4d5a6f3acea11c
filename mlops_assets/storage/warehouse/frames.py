"""Rows as pandas frames with nullable, exact types, and back."""

import pandas as pd
import pyarrow as pa

from mlops_assets.storage.parquet import TEXT, to_table


def to_frame(rows: pa.Table) -> pd.DataFrame:
    """`string[pyarrow]`, Int64, boolean, float64 (null: NaN), datetime64[us, UTC]; dates and decimals in Arrow's own types."""
    frame: pd.DataFrame = rows.to_pandas(types_mapper=_pandas_type)
    return frame


def to_rows(frame: pd.DataFrame) -> pa.Table:
    """The frame's columns; NaN is null. ValueError if the index means something."""
    return to_table(frame)


def _pandas_type(kind: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    if pa.types.is_date(kind) or pa.types.is_decimal(kind):
        return pd.ArrowDtype(kind)
    return {pa.string(): TEXT, pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get(kind)
