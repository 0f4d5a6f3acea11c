"""Frames as Parquet: what comes back, and what the data version depends on."""

import gc
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.storage import parquet
from mlops_assets.storage.stamp import NoStampError, Stamp

STAMP = Stamp("0" * 32, {"chicago_crime/raw_crimes": {"2017-12": "1" * 32}}, "code", {"rows": 3})
MEGABYTE = 1 << 20


def make_frame() -> pd.DataFrame:
    """One column of each type that stages store, with missing values where the type has them."""
    return pd.DataFrame(
        {
            "id": pd.Series(["3", "1", "2"], dtype=parquet.TEXT),
            "block": pd.Series(["001XX N STATE ST", pd.NA, "Ñandú"], dtype=parquet.TEXT),
            "empty": pd.Series([pd.NA] * 3, dtype=parquet.TEXT),
            "arrest": [True, False, True],
            "domestic": pd.Series([True, None, False], dtype="boolean"),
            "beat": pd.Series([1, None, -3], dtype="Int64"),
            "target": pd.Series([1, 0, 1], dtype="int8"),
            "hour": [1, 2, 3],
            "x_ft": [1.5, np.nan, -0.0],
            "occurred_at": pd.Series(pd.to_datetime(["2017-12-31T23:59:59", None, "2017-12-01T00:00:00"])).astype("datetime64[us]"),
        }
    )


def version_of(frame: pd.DataFrame) -> str:
    return parquet.data_version(parquet.to_table(frame))


def encoded(frame: pd.DataFrame, stamp: Stamp = STAMP) -> bytes:
    return parquet.encode(parquet.to_table(frame), stamp)


@pytest.mark.parametrize("rows", [3, 0], ids=["rows", "no rows"])
def test_frame_comes_back_with_identical_types_and_values(rows: int) -> None:
    frame = make_frame().iloc[:rows]

    decoded, stamp = parquet.decode(encoded(frame))

    pd.testing.assert_frame_equal(decoded, frame, check_exact=True, check_index_type="equiv")
    assert decoded.dtypes.to_dict() == frame.dtypes.to_dict()
    assert isinstance(decoded.index, pd.RangeIndex)
    assert stamp == STAMP


def test_frame_that_comes_back_can_be_changed_in_place() -> None:
    decoded, _ = parquet.decode(encoded(make_frame()))

    for column in ("x_ft", "target", "occurred_at", "arrest"):
        decoded.loc[0, column] = decoded.loc[2, column]

    assert decoded["x_ft"].iloc[0] == 0


def test_text_comes_back_as_arrow_text_whatever_it_was() -> None:
    texts = [pd.Series(["a", None], dtype=kind) for kind in (parquet.TEXT, "object", pd.StringDtype("python"))]

    decoded = [parquet.decode(encoded(pd.DataFrame({"text": text})))[0] for text in texts]

    assert [frame["text"].dtype for frame in decoded] == [parquet.TEXT] * 3
    assert len({version_of(pd.DataFrame({"text": text})) for text in texts}) == 1


def test_stored_again_it_is_the_same_object() -> None:
    data = encoded(make_frame())
    decoded, stamp = parquet.decode(data)

    assert encoded(decoded, stamp) == data
    assert version_of(decoded) == version_of(make_frame())


def _nulls_over_other_values(frame: pd.DataFrame) -> pd.DataFrame:
    frame["beat"] = pd.Series([1, 99, -3], dtype="Int64").mask([False, True, False])
    frame["domestic"] = pd.Series([True, True, False], dtype="boolean").mask([False, True, False])
    frame["x_ft"] = frame["x_ft"].where(frame["x_ft"].notna(), -np.float64(np.nan))
    return frame


def _rows_of_a_longer_frame(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[::-1], frame], ignore_index=True).iloc[6:9]


def _with_attributes(frame: pd.DataFrame) -> pd.DataFrame:
    frame.attrs["note"] = "only pandas sees this"
    return frame


@pytest.mark.parametrize("make_alike", [_nulls_over_other_values, _rows_of_a_longer_frame])
def test_equal_frames_give_equal_bytes_and_versions(make_alike: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    alike = make_alike(make_frame())
    pd.testing.assert_frame_equal(alike.reset_index(drop=True), make_frame())

    assert version_of(alike) == version_of(make_frame())
    assert encoded(alike) == encoded(make_frame())


def test_frame_put_together_of_parts_gives_the_bytes_of_the_whole() -> None:
    # Long texts fill pages, and Arrow would end pages where the parts end.
    whole = pd.DataFrame({"text": pd.Series([f"unique {number} " * 50 for number in range(3000)], dtype=parquet.TEXT)})
    parts = pd.concat([whole.iloc[:777], whole.iloc[777:]], ignore_index=True)

    assert version_of(parts) == version_of(whole)
    assert encoded(parts) == encoded(whole)


def test_data_version_is_that_of_the_content_only() -> None:
    table = parquet.to_table(make_frame())
    version = parquet.data_version(table)

    assert parquet.data_version(table.replace_schema_metadata({"pandas": "none"})) == version
    assert parquet.data_version(pa.concat_tables([table.slice(0, 1), table.slice(1)])) == version
    assert parquet.data_version(pa.concat_tables([table, table]).slice(3)) == version
    assert version_of(_with_attributes(make_frame())) == version


def test_data_version_is_the_same_in_every_release() -> None:
    assert version_of(make_frame()) == "400f207bdac299a5f9aad0241bfee8de"


CHANGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "column name": lambda frame: frame.rename(columns={"hour": "hours"}),
    "column order": lambda frame: frame[list(reversed(frame.columns))],
    "columns": lambda frame: frame.drop(columns="hour"),
    "rows": lambda frame: frame.iloc[:2],
    "row order": lambda frame: frame.iloc[::-1].reset_index(drop=True),
    "type": lambda frame: frame.astype({"target": "int16"}),
    "time unit": lambda frame: frame.assign(occurred_at=frame["occurred_at"].astype("datetime64[ns]")),
    "number": lambda frame: frame.assign(hour=[1, 2, 4]),
    "time": lambda frame: frame.assign(occurred_at=frame["occurred_at"] + pd.Timedelta(microseconds=1)),
    "text border": lambda frame: frame.assign(id=pd.Series(["31", "", "2"], dtype=parquet.TEXT)),
    "null number": lambda frame: frame.assign(x_ft=[1.5, 0.0, -0.0]),
    "null text": lambda frame: frame.assign(block=frame["block"].fillna("")),
    "null integer": lambda frame: frame.assign(beat=frame["beat"].fillna(0)),
    "null boolean": lambda frame: frame.assign(domestic=frame["domestic"].fillna(False)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_data_version_depends_on(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    assert version_of(change(make_frame())) != version_of(make_frame())


def test_data_version_tells_empty_frames_apart() -> None:
    empty = make_frame().iloc[:0]

    assert version_of(empty) == version_of(make_frame().iloc[1:1])
    assert version_of(empty) != version_of(empty.astype({"hour": "float64"}))


def test_index_with_a_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reset_index\(\)"):
        parquet.to_table(make_frame().set_index("id"))


def test_column_of_an_unknown_type_is_refused_by_name() -> None:
    table = parquet.to_table(pd.DataFrame({"prices": [["a"], ["b"]]}))

    with pytest.raises(TypeError, match="'prices'"):
        parquet.data_version(table)


@pytest.mark.parametrize("entries", [1, 3000], ids=["usual footer", "long footer"])
def test_footer_is_found_in_the_end_of_the_file(entries: int) -> None:
    frame = pd.DataFrame({"value": np.random.default_rng(1).random(100_000)})
    stamp = Stamp("0" * 32, {"asset": {str(number): "1" * 32 for number in range(entries)}})
    data = encoded(frame, stamp)
    fetched = []

    def read(last: int | None) -> bytes:
        fetched.append(last)
        assert last is not None
        return data[-last:]

    found, rows, schema = parquet.read_footer(read)

    assert (found, rows, schema.names) == (stamp, 100_000, ["value"])
    assert sum(fetched) < len(data) / 2
    assert len(fetched) <= 2


def test_file_of_another_origin_has_no_stamp() -> None:
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(pa.table({"value": [1]}), sink)
    data = sink.getvalue().to_pybytes()

    with pytest.raises(NoStampError):
        parquet.decode(data)


def test_decode_holds_the_frame_and_keeps_nothing_else() -> None:
    data = encoded(pd.DataFrame({f"x{column}": np.random.default_rng(column).random(500_000) for column in range(4)}))
    size = 16 * 1_000_000
    gc.collect()
    arrow_before = pa.total_allocated_bytes()

    tracemalloc.start()
    frame, _ = parquet.decode(data)
    numpy_held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert frame.memory_usage().sum() >= size
    assert numpy_held + pa.total_allocated_bytes() - arrow_before < 1.1 * size
    del frame
    assert pa.total_allocated_bytes() - arrow_before < MEGABYTE
