"""Frames as Parquet (zstd), the stamp in the file's footer. Bytes in, bytes out."""

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_assets.storage.stamp import NoStampError, ReadEnd, Stamp

# Arrow's own pool gives each table's memory back to the operating system and has it zeroed anew for the next table: a fifteenth of a
# training's CPU time.
pa.set_memory_pool(pa.system_memory_pool())

STAMP_KEY = b"mlops_assets.stamp"
TEXT = pd.StringDtype("pyarrow")
USUAL_FOOTER = 64 * 1024
"""Bytes that hold nearly every footer; a longer one costs a second read."""
FOOTER_TAIL = 8
"""A Parquet file ends with the footer's length (4 bytes, little-endian) and `PAR1`."""


def to_table(frame: pd.DataFrame) -> pa.Table:
    """The frame as an Arrow table, all text as `large_string`. ValueError if the index means something: an index is not stored."""
    if not isinstance(frame.index, pd.RangeIndex):
        raise ValueError(f"a stored frame has a plain RangeIndex, this one has {type(frame.index).__name__}: call reset_index() first")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [field.with_type(pa.large_string()) if pa.types.is_string(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields, table.schema.metadata)).combine_chunks()


def data_version(table: pa.Table) -> str:
    """128-bit hash of column names, order, types, nulls and values; equal content has it whatever its memory layout or library version.

    TypeError names a column whose type is neither text, number, boolean nor time.
    """
    names_and_types = [(field.name, str(field.type)) for field in table.schema]
    digest = hashlib.blake2b(json.dumps([table.num_rows, names_and_types]).encode(), digest_size=16)
    for name, column in zip(table.column_names, table.columns, strict=True):
        array = column.combine_chunks()
        # What memory holds in place of a null is arbitrary, so nulls count by where they are and the others by their values.
        digest.update(_content(array.is_valid(), name))
        digest.update(_content(array.drop_null(), name))
    return digest.hexdigest()


def encode(table: pa.Table, stamp: Stamp) -> bytes:
    """Parquet bytes with the stamp in the footer; equal content and stamp give equal bytes with the same library version."""
    sink = pa.BufferOutputStream()
    stamped = table.replace_schema_metadata({**(table.schema.metadata or {}), STAMP_KEY: stamp.to_json()})
    pq.write_table(stamped, sink, compression="zstd", write_page_checksum=True, write_statistics=False)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode(data: bytes) -> tuple[pd.DataFrame, Stamp]:
    """Frame and stamp; text columns come as `string[pyarrow]`."""
    table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
    return table.to_pandas(types_mapper=lambda kind: TEXT if _is_text(kind) else None), _stamp_of(table.schema)


def read_footer(read: ReadEnd) -> tuple[Stamp, int, pa.Schema]:
    """Stamp, row count and schema; reads the end of the file only."""
    end = read(USUAL_FOOTER)
    footer = int.from_bytes(end[-FOOTER_TAIL:-4], "little") + FOOTER_TAIL
    if footer > len(end):
        end = read(footer)
    metadata = pq.read_metadata(pa.BufferReader(end))
    schema = metadata.schema.to_arrow_schema()
    return _stamp_of(schema), metadata.num_rows, schema


def _stamp_of(schema: pa.Schema) -> Stamp:
    stamp = (schema.metadata or {}).get(STAMP_KEY)
    if stamp is None:
        raise NoStampError(f"the Parquet footer has no {STAMP_KEY.decode()}")
    return Stamp.from_json(stamp)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _content(values: pa.Array, name: str) -> bytes:
    """The values, of which none is null, as bytes that no other values of this type give."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        return b""
    if _is_text(values.type):
        text = pa.LargeListArray.from_arrays([0, len(values)], values.cast(pa.large_string()))
        joined: bytes = pc.binary_join(text, pa.scalar("", pa.large_string()))[0].as_buffer().to_pybytes()
        lengths: bytes = pc.binary_length(values).to_numpy().tobytes()
        return lengths + joined
    if not pa.types.is_primitive(values.type):
        raise TypeError(f"column {name!r} of type {values.type} cannot be stored")
    numbers: np.ndarray[Any, Any] = values.to_numpy(zero_copy_only=False)
    return numbers.tobytes()
