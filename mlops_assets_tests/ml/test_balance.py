"""Tests of balancing: ratios, skipped steps, order and refusals."""

import logging

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import NearestNeighbors

from mlops_assets.domain import Balance
from mlops_assets.ml.balance import TreeNeighbours, balance

COLUMNS = ["x", "y"]


def _train(minority: int, majority: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.r_[np.ones(minority), np.zeros(majority)]).astype(np.int8)
    values = rng.normal(size=(len(labels), 2)) + labels[:, None]
    return pd.DataFrame(values, columns=COLUMNS).assign(id="1", arrest=labels)


def test_balance_oversamples_then_undersamples() -> None:
    balanced = balance(_train(40, 400), Balance(oversample=0.5, undersample=0.8), target="arrest", columns=COLUMNS)

    assert balanced["arrest"].value_counts().to_dict() == {0: 250, 1: 200}
    assert balanced.columns.tolist() == ["arrest", "x", "y"]
    assert balanced.dtypes.astype(str).tolist() == ["int8", "float64", "float64"]


def test_balance_keeps_real_rows_and_joins_minority_neighbours() -> None:
    train = _train(40, 400)

    balanced = balance(train, Balance(), target="arrest", columns=COLUMNS)

    real = set(map(tuple, train[COLUMNS].to_numpy()))
    made = balanced[[row not in real for row in map(tuple, balanced[COLUMNS].to_numpy())]]
    assert len(made) == 160
    assert made["arrest"].eq(1).all()
    minority = train[train["arrest"] == 1]
    assert made["x"].between(minority["x"].min(), minority["x"].max()).all()


@pytest.mark.parametrize("asked", [300, 7])
def test_tree_neighbours_are_those_of_scikit_learn(asked: int) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 20))

    distances, positions = TreeNeighbours(n_neighbors=4).fit(rows).kneighbors(rows[:asked])

    expected = NearestNeighbors(n_neighbors=4).fit(rows).kneighbors(rows[:asked])
    np.testing.assert_allclose(distances, expected[0], atol=1e-6)
    np.testing.assert_array_equal(positions, expected[1])


def test_balance_repeats_itself_and_follows_its_seed() -> None:
    train = _train(40, 400)

    first, again, other = (balance(train, Balance(seed=seed), target="arrest", columns=COLUMNS) for seed in (17, 17, 18))

    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_balance_undersampling_follows_the_seed() -> None:
    train = _train(240, 400)

    first, other = (balance(train, Balance(seed=seed), target="arrest", columns=COLUMNS) for seed in (17, 18))

    assert set(first["x"]) != set(other["x"])


@pytest.mark.parametrize(
    ("minority", "majority", "expected", "note"),
    [
        pytest.param(240, 400, {0: 300, 1: 240}, "no over-sampling: 240/400", id="beyond oversample"),
        pytest.param(380, 400, {0: 400, 1: 380}, "no under-sampling: 380/400", id="beyond both"),
        pytest.param(3, 3, {0: 3, 1: 3}, "no over-sampling: 3/3", id="even, fewer than the neighbours"),
    ],
)
def test_balance_skips_what_the_rows_already_have(
    minority: int, majority: int, expected: dict[int, int], note: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        balanced = balance(_train(minority, majority), Balance(), target="arrest", columns=COLUMNS)

    assert balanced["arrest"].value_counts().to_dict() == expected
    assert note in caplog.text


def test_balance_skips_undersampling_that_oversampling_made_needless(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        balanced = balance(_train(40, 400), Balance(oversample=0.9, undersample=0.8), target="arrest", columns=COLUMNS)

    assert balanced["arrest"].value_counts().to_dict() == {0: 400, 1: 360}
    assert "no under-sampling: 360/400" in caplog.text


def test_balance_treats_whichever_class_is_smaller_as_minority() -> None:
    train = _train(40, 400)
    train["arrest"] = 1 - train["arrest"]

    balanced = balance(train, Balance(), target="arrest", columns=COLUMNS)

    assert balanced["arrest"].value_counts().to_dict() == {1: 250, 0: 200}


@pytest.mark.parametrize("minority", [1, 5])
def test_balance_refuses_fewer_minority_rows_than_neighbours(minority: int) -> None:
    with pytest.raises(ValueError, match=f"5 neighbours needs more minority rows than that; there are {minority}"):
        balance(_train(minority, 100), Balance(neighbours=5), target="arrest", columns=COLUMNS)


def test_balance_works_with_one_minority_row_more_than_neighbours() -> None:
    assert balance(_train(6, 100), Balance(neighbours=5), target="arrest", columns=COLUMNS)["arrest"].sum() == 50


@pytest.mark.parametrize("rows", [0, 10])
def test_balance_refuses_a_single_class(rows: int) -> None:
    with pytest.raises(ValueError, match="two classes"):
        balance(_train(0, rows), Balance(), target="arrest", columns=COLUMNS)
