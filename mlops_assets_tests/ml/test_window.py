"""Joining a window: which record counts, and what cannot be trained on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import Batches, Gates, Monthly
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.chicago_crime.transforms import CrimeEnricher, raw_crimes_frame
from mlops_assets.ml.window import enriched_alike, join_window

DOMAIN = replace(CHICAGO_CRIME, cadence=Monthly(start="2016-01", window=3), gates=Gates(min_rows=6))


def _month(ids: list[str], arrests: list[bool]) -> pd.DataFrame:
    return pd.DataFrame({"id": pd.array(ids, dtype="string[pyarrow]"), "arrest": arrests})


def _window(*months: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    return {f"2017-{number:02d}": month for number, month in enumerate(months, 1)}


EMPTY = _month([], []).astype({"arrest": bool})
FIRST, SECOND = _month(["1", "2", "3"], [True, False, False]), _month(["4", "5", "6"], [True, False, False])


def test_join_window_keeps_the_order_of_months_and_rows() -> None:
    rows = join_window(_window(FIRST, SECOND, _month(["0"], [True])), DOMAIN)

    assert rows["id"].tolist() == ["1", "2", "3", "4", "5", "6", "0"]
    assert isinstance(rows.index, pd.RangeIndex)


def test_join_window_counts_a_record_once_as_the_latest_month_has_it() -> None:
    rows = join_window(_window(FIRST, SECOND, _month(["2", "7"], [True, False])), DOMAIN)

    assert rows["id"].tolist() == ["1", "3", "4", "5", "6", "2", "7"]
    assert rows.set_index("id")["arrest"]["2"]


def test_join_window_takes_empty_months_for_nothing_and_keeps_the_types() -> None:
    rows = join_window(_window(FIRST, EMPTY, SECOND), DOMAIN)

    assert len(rows) == 6
    assert rows.dtypes.to_dict() == FIRST.dtypes.to_dict()


@pytest.mark.parametrize(
    ("months", "message"),
    [
        ((EMPTY, EMPTY, EMPTY), r"0 rows in the window, at least 6 are needed \(2017-01: 0, 2017-02: 0, 2017-03: 0\)"),
        ((FIRST, EMPTY, EMPTY), r"3 rows in the window, at least 6 are needed \(2017-01: 3, 2017-02: 0, 2017-03: 0\)"),
        ((FIRST, FIRST, FIRST), r"3 rows in the window"),
        ((_month(list("123456"), [False] * 6), EMPTY, EMPTY), r"every arrest in the window is False \(2017-01: 6, .*nothing to learn"),
        ((_month(list("123456"), [True] * 6), EMPTY, EMPTY), r"every arrest in the window is True"),
    ],
)
def test_join_window_refuses_what_nothing_can_be_learned_from(months: tuple[pd.DataFrame, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"chicago_crime: {message}"):
        join_window(_window(*months), DOMAIN)


@pytest.mark.parametrize(("months", "last"), [((FIRST, SECOND), "2017-02"), ((), "the first")])
def test_join_window_refuses_a_window_that_starts_before_the_first_month(months: tuple[pd.DataFrame, ...], last: str) -> None:
    with pytest.raises(ValueError, match=rf"reads 3 partitions, but only {len(months)} exist up to {last}; the first partition is 2016-01"):
        join_window(_window(*months), DOMAIN)


def test_join_window_of_batches_takes_as_many_as_there_are() -> None:
    batches = replace(DOMAIN, cadence=Batches(count=10))

    assert len(join_window({"01": FIRST, "02": SECOND}, batches)) == 6
    with pytest.raises(ValueError, match=r"3 rows in the window, at least 6 are needed \(01: 3\)"):
        join_window({"01": FIRST}, batches)


def test_join_window_loads_each_month_once() -> None:
    loaded: list[str] = []

    class Lazy(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            loaded.append(key)
            return super().__getitem__(key)

        def items(self) -> Any:
            return ((key, self[key]) for key in self)

    join_window(Lazy(_window(FIRST, SECOND, EMPTY)), DOMAIN)

    assert loaded == ["2017-01", "2017-02", "2017-03"]


def test_enriched_alike_enriches_anew_only_what_another_enricher_made(crimes: list[dict[str, Any]]) -> None:
    raw = raw_crimes_frame([crimes[:20]])
    old, new = (CrimeEnricher([name], np.array([[x, 1_900_000.0]])) for name, x in (("1", 1_150_000.0), ("2", 1_180_000.0)))
    rows = old.transform(raw)

    assert enriched_alike(rows, new, derived=True) is rows
    pd.testing.assert_frame_equal(enriched_alike(rows, new, derived=False), new.transform(raw))
    assert set(enriched_alike(rows, new, derived=False)["nearest_station"]) == {"2"}
