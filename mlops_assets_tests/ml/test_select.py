"""Tests of feature selection: scikit-learn's own estimate is the measure."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import mutual_info_classif

from mlops_assets.domain import Selection
from mlops_assets.ml.select import mutual_information, select_features

ROWS = 600
RNG = np.random.default_rng(1)
SIGNAL = RNG.normal(size=ROWS)
TARGET = (SIGNAL + RNG.normal(size=ROWS) > 0).astype(np.int8)
DIRTY = pd.DataFrame(
    {
        "continuous": SIGNAL,
        "tied": np.round(SIGNAL, 1),
        "flag": (SIGNAL > 0.5).astype(float),
        "constant": 3.0,
        "zero": 0.0,
        "integer": RNG.integers(-3, 4, ROWS).astype(float),
        "mostly_zero": np.where(RNG.random(ROWS) < 0.95, 0.0, SIGNAL),
        "far": np.r_[1e9, -1e9, SIGNAL[2:]],
        "large": 1.1e6 + np.round(100 * SIGNAL),
        "tiny": 1e-200 * SIGNAL,
        "lattice": RNG.integers(0, 50, ROWS) / 7 + 1e3,
    }
)


def _sklearn(features: pd.DataFrame, target: np.ndarray, neighbours: int = 3, seed: int = 42) -> np.ndarray:
    return np.asarray(mutual_info_classif(features, target, discrete_features=False, n_neighbors=neighbours, random_state=seed))


@pytest.mark.parametrize("neighbours", [1, 3, 10])
@pytest.mark.parametrize("seed", [0, 42])
def test_mutual_information_is_scikit_learns_on_dirty_columns(neighbours: int, seed: int) -> None:
    ours = mutual_information(DIRTY, TARGET, neighbours=neighbours, seed=seed)

    np.testing.assert_allclose(ours, _sklearn(DIRTY, TARGET, neighbours, seed), rtol=0, atol=1e-10)
    assert ours[0] > 0.1


def test_mutual_information_does_not_depend_on_memory_layout() -> None:
    rng = np.random.default_rng(0)
    columns = np.sin(2 * np.pi * rng.integers(0, 24, (8000, 8)) / 24) * np.where(rng.random((8000, 8)) < 0.2, rng.random((8000, 8)), 1)
    by_row, by_column = (pd.DataFrame(np.require(columns, requirements=layout)) for layout in ("C", "F"))
    target = np.arange(8000) % 2

    ours = mutual_information(by_row, target, neighbours=3, seed=42)

    np.testing.assert_array_equal(ours, mutual_information(by_column, target, neighbours=3, seed=42))
    np.testing.assert_allclose(ours, _sklearn(by_row, target), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param((np.arange(ROWS) % 50 == 0).astype(int), id="imbalanced"),
        pytest.param((np.arange(ROWS) < 2).astype(int), id="two members"),
        pytest.param((np.arange(ROWS) < 7).astype(int), id="seven members"),
        pytest.param((np.arange(ROWS) == 5).astype(int), id="single member"),
        pytest.param(np.r_[np.arange(5), np.arange(ROWS - 5) % 4 + 10], id="many classes, five of them single"),
        pytest.param(np.zeros(ROWS, dtype=int), id="one class"),
        pytest.param(np.where(TARGET == 1, "yes", "no"), id="text"),
    ],
)
def test_mutual_information_is_scikit_learns_on_uneven_classes(target: np.ndarray) -> None:
    ours = mutual_information(DIRTY, target, neighbours=3, seed=42)

    np.testing.assert_allclose(ours, _sklearn(DIRTY, target), rtol=0, atol=1e-10)


def test_mutual_information_is_scikit_learns_where_sums_round() -> None:
    """Each of 40 classes has a row far from the dense heap that holds its neighbours, so that distances to the heap collide."""
    rng = np.random.default_rng(5)
    far = np.r_[rng.uniform(-1000, -500, 20), rng.uniform(500, 1000, 20)]
    features = pd.DataFrame({"x": np.r_[far, np.zeros(10_360), np.full(10_000, 50.0)]})
    target = np.r_[np.arange(40), np.repeat(np.arange(40), 9), np.full(10_000, 50), np.full(10_000, 51)]

    ours = mutual_information(features, target, neighbours=3, seed=7)

    np.testing.assert_allclose(ours, _sklearn(features, target, seed=7), rtol=0, atol=1e-10)
    assert ours[0] > 0.1


def test_mutual_information_refuses_missing_values() -> None:
    with pytest.raises(ValueError, match="NaN"):
        mutual_information(DIRTY.assign(tied=np.nan), TARGET, neighbours=3, seed=42)


def test_select_features_sorts_by_score_then_name_and_applies_the_threshold() -> None:
    frame = DIRTY[["constant", "tied", "zero", "continuous"]].assign(arrest=TARGET, id="x")
    columns = ["zero", "tied", "constant", "continuous"]

    table = select_features(frame, Selection(threshold=0.05, seed=3), target="arrest", columns=columns)

    scores = dict(zip(columns, mutual_information(frame[columns], TARGET, neighbours=3, seed=3), strict=True))
    assert table.columns.tolist() == ["feature", "mutual_information", "selected"]
    assert table["feature"].tolist() == sorted(columns, key=lambda name: (-scores[name], name))
    assert table["mutual_information"].tolist() == [scores[name] for name in table["feature"]]
    assert table["selected"].tolist() == [scores[name] > 0.05 for name in table["feature"]]
    assert table["selected"].sum() == 2


def test_select_features_breaks_equal_scores_by_name() -> None:
    frame = pd.DataFrame({"b": SIGNAL, "a": SIGNAL, "y": np.zeros(ROWS, dtype=np.int8)})

    table = select_features(frame, Selection(), target="y", columns=["b", "a"])

    assert table["feature"].tolist() == ["a", "b"]
    assert not table["selected"].any()
