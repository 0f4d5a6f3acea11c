"""Tests of outlier removal: bounds, missing values and the report."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import Outliers
from mlops_assets.ml.outliers import remove_outliers


def test_remove_outliers_leaves_out_what_lies_beyond_the_bounds() -> None:
    train = pd.DataFrame({"id": range(102), "metres": [-50.0, *range(100), 1000.0]})

    kept, report = remove_outliers(train, Outliers(columns=("metres",), deviations=3))

    assert kept["id"].tolist() == list(range(101))
    assert isinstance(kept.index, pd.RangeIndex)
    mean, std = np.mean(train["metres"]), np.std(train["metres"], ddof=1)
    assert report[["mean", "std", "low", "high"]].iloc[0].tolist() == pytest.approx([mean, std, mean - 3 * std, mean + 3 * std])
    assert report["removed"].tolist() == [1]


def test_remove_outliers_keeps_missing_values() -> None:
    train = pd.DataFrame({"metres": [1.0, np.nan, 2.0] * 20 + [500.0]})

    kept, _ = remove_outliers(train, Outliers(columns=("metres",)))

    assert len(kept) == 60
    assert kept["metres"].isna().sum() == 20


@pytest.mark.parametrize("values", [[0.1] * 1000, [np.nan] * 5, [7.0], []])
def test_remove_outliers_keeps_everything_that_does_not_vary(values: list[float]) -> None:
    kept, report = remove_outliers(pd.DataFrame({"metres": pd.Series(values, dtype="float64")}), Outliers(columns=("metres",)))

    assert len(kept) == len(values)
    assert report["removed"].tolist() == [0]


def test_remove_outliers_measures_every_column_on_all_rows() -> None:
    low = np.r_[-1000.0, np.zeros(50), 0.0]
    train = pd.DataFrame({"a": low, "b": low[::-1], "c": low})

    kept, report = remove_outliers(train, Outliers(columns=("a", "b", "c")))

    assert len(kept) == 50
    assert report[["column", "removed"]].to_numpy().tolist() == [["a", 1], ["b", 1], ["c", 1]]


def test_remove_outliers_reports_the_same_types_without_columns() -> None:
    train = pd.DataFrame({"a": [1.0, 2.0, 99.0]})

    kept, report = remove_outliers(train, Outliers())

    pd.testing.assert_frame_equal(kept, train)
    assert report.empty
    assert report.dtypes.equals(remove_outliers(train, Outliers(columns=("a",)))[1].dtypes)
