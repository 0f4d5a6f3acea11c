"""Tests of the split: exact shares, sides that last, and refusals."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import Split, SplitKind
from mlops_assets.ml.split import UnsplittableError, split, split_of, stratified_mask

NAMES = {"id_column": "id", "time_column": "at", "target": "arrest"}
PINNED = ["10008", "10010", "10012", "10013", "10015", "10016", "10018", "10024", "10031", "10042"]


def _frame(rows: int = 1000, start: int = 0) -> pd.DataFrame:
    number = np.arange(start, start + rows)
    return pd.DataFrame(
        {
            "id": pd.array([str(10_000 + n) for n in number], dtype="string[pyarrow]"),
            "at": pd.Timestamp("2017-01-01") + pd.to_timedelta(number * 7919 % 500, unit="h"),
            "arrest": number % 5 == 0,
        }
    )


def test_random_split_gives_each_class_its_exact_share() -> None:
    train, test = split(_frame(), Split(test_share=0.2), **NAMES)

    assert train["arrest"].value_counts().to_dict() == {False: 640, True: 160}
    assert test["arrest"].value_counts().to_dict() == {False: 160, True: 40}


def test_random_split_keeps_every_row_once_in_input_order() -> None:
    frame = _frame()

    train, test = split(frame, Split(), **NAMES)

    assert train["id"].is_monotonic_increasing
    assert test["id"].is_monotonic_increasing
    pd.testing.assert_frame_equal(pd.concat([train, test]).sort_values("id", ignore_index=True).drop(columns="split"), frame)


@pytest.mark.parametrize("spec", [Split(test_share=0.3, seed=7), Split("temporal")])
def test_split_rows_say_by_which_split_they_came_to_be(spec: Split) -> None:
    train, test = split(_frame(), spec, **NAMES)

    assert split_of(train) == split_of(test) == spec
    assert test["split"].nunique() == 1


def test_random_split_does_not_depend_on_row_order_or_string_type() -> None:
    frame = _frame()
    shuffled = frame.sample(frac=1, random_state=3, ignore_index=True).astype({"id": object})

    assert set(split(frame, Split(), **NAMES)[1]["id"]) == set(split(shuffled, Split(), **NAMES)[1]["id"])


def test_random_split_keeps_a_row_on_its_side_in_another_window() -> None:
    (first_train, first_test), (next_train, next_test) = (split(_frame(8000, start), Split(), **NAMES) for start in (0, 1000))

    moved = len(set(first_test["id"]) & set(next_train["id"])) + len(set(first_train["id"]) & set(next_test["id"]))
    assert moved < 0.01 * 7000


def test_random_split_is_the_same_on_every_platform_and_version() -> None:
    _, test = split(_frame(50), Split(seed=42), **NAMES)

    assert test["id"].tolist() == PINNED


def test_random_split_changes_with_the_seed() -> None:
    assert set(split(_frame(), Split(seed=1), **NAMES)[1]["id"]) != set(split(_frame(), Split(seed=2), **NAMES)[1]["id"])


@pytest.mark.parametrize("kind", ["random", "temporal"])
def test_split_keeps_rows_of_one_id_on_one_side(kind: SplitKind) -> None:
    frame = _frame()
    revised = frame.assign(arrest=~frame["arrest"], at=frame["at"].to_numpy()[::-1])

    train, test = split(pd.concat([frame, revised], ignore_index=True), Split(kind=kind), **NAMES)

    assert not set(train["id"]) & set(test["id"])


def test_temporal_split_tests_on_the_last_share() -> None:
    frame = _frame().assign(at=pd.Timestamp("2017-01-01") + pd.to_timedelta(np.arange(1000)[::-1], unit="h"))

    train, test = split(frame, Split(kind="temporal", test_share=0.25), **NAMES)

    assert len(test) == 250
    assert train["at"].max() < test["at"].min()
    assert test["id"].is_monotonic_increasing


def test_temporal_split_takes_an_id_at_its_last_time() -> None:
    frame = _frame(100).assign(at=pd.Timestamp("2017-01-01") + pd.to_timedelta(np.arange(100), unit="h"))
    revised = frame.iloc[[0]].assign(at=pd.Timestamp("2018-01-01"))

    _, test = split(pd.concat([frame, revised], ignore_index=True), Split(kind="temporal"), **NAMES)

    assert test["id"].value_counts()["10000"] == 2


def test_temporal_split_keeps_equal_times_together() -> None:
    frame = _frame(90).assign(at=pd.Timestamp("2017-01-01") + pd.to_timedelta(np.arange(90) // 30, unit="h"))

    train, test = split(frame, Split(kind="temporal", test_share=0.2), **NAMES)

    assert len(test) == 30
    assert set(train["at"]).isdisjoint(test["at"])


@pytest.mark.parametrize("kind", ["random", "temporal"])
@pytest.mark.parametrize(("rows", "share"), [(0, 0.2), (1, 0.2), (4, 0.2), (1000, 0.0), (1000, 1.0)])
def test_split_refuses_a_side_without_a_class(kind: SplitKind, rows: int, share: float) -> None:
    with pytest.raises(ValueError, match=rf"these {rows} rows"):
        split(_frame(rows), Split(kind=kind, test_share=share), **NAMES)


def test_split_names_the_counts_of_a_single_class() -> None:
    with pytest.raises(ValueError, match=r"\{'train': \{'False': 80\}, 'test': \{'False': 20\}\}"):
        split(_frame(100).assign(arrest=False), Split(), **NAMES)


@pytest.mark.parametrize("column", ["id", "at", "arrest"])
def test_split_refuses_missing_values_with_their_count(column: str) -> None:
    frame = _frame(100).astype({"arrest": "boolean"})
    frame.loc[[3, 4], column] = None

    with pytest.raises(ValueError, match=f"100 rows with missing values: {column} in 2"):
        split(frame, Split(), **NAMES)


def _classes(*rows: int) -> pd.DataFrame:
    """So many rows of class 0, 1, ..."""
    return _frame(sum(rows)).assign(arrest=np.repeat(np.arange(len(rows)), rows))


@pytest.mark.parametrize("share", [0.01, 0.2, 0.99])
def test_random_split_gives_either_side_a_row_of_a_rare_class(share: float) -> None:
    train, test = split(_classes(500, 300, 3, 2), Split(test_share=share), **NAMES)

    assert set(train["arrest"]) == set(test["arrest"]) == {0, 1, 2, 3}
    assert (train["arrest"] == 3).sum() == (test["arrest"] == 3).sum() == 1
    assert (test["arrest"] == 0).sum() == 500 * share


@pytest.mark.parametrize("kind", ["random", "temporal"])
def test_split_names_the_class_of_a_single_row(kind: SplitKind) -> None:
    with pytest.raises(UnsplittableError, match=r"these 801 rows give .*: (test|train) has no 2$"):
        split(_classes(500, 300, 1), Split(kind=kind, test_share=0.2), **NAMES)


def test_random_split_cannot_part_rows_of_one_id() -> None:
    frame = _classes(500, 2)
    frame["id"] = frame["id"].replace("10501", "10500")

    with pytest.raises(UnsplittableError, match="test has no 1"):
        split(frame, Split(), **NAMES)


def test_stratified_mask_takes_what_is_wanted_of_each_class() -> None:
    labels = np.tile([0, 1, 2, 0], 50)
    mask, other = (stratified_mask(labels, {0: 20, 1: 1, 2: 0}, seed) for seed in (1, 2))

    assert [mask[labels == label].sum() for label in range(3)] == [20, 1, 0]
    assert not np.array_equal(mask, other)
