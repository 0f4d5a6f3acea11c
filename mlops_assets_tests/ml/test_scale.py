"""Tests of the frame scaler."""

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from mlops_assets.ml.scale import FrameScaler


def _frame() -> pd.DataFrame:
    return pd.DataFrame({"id": ["a", "b", "c", "d"], "x": [1.0, 2.0, 3.0, 10.0], "flag": [0.0, 1.0, 0.0, 1.0], "same": [0.1] * 4})


def test_scaler_standardises_by_the_rows_it_was_fitted_on() -> None:
    scaler = FrameScaler(["x"]).fit(_frame())

    scaled = scaler.transform(pd.DataFrame({"id": ["e"], "x": [4.0], "flag": [1.0], "same": [0.1]}))

    assert scaled["x"].tolist() == [(4.0 - 4.0) / np.std([1, 2, 3, 10])]
    np.testing.assert_allclose(scaler.transform(_frame())["x"], (_frame()["x"] - 4) / np.std([1, 2, 3, 10]))


def test_scaler_passes_other_columns_and_leaves_its_input_alone() -> None:
    frame = _frame()

    scaled = FrameScaler(["x", "same"]).fit(frame).transform(frame)

    assert scaled.columns.tolist() == frame.columns.tolist()
    pd.testing.assert_frame_equal(scaled[["id", "flag"]], frame[["id", "flag"]])
    pd.testing.assert_frame_equal(frame, _frame())


def test_scaler_only_centres_a_column_that_does_not_vary() -> None:
    scaled = FrameScaler(["same"]).fit(_frame()).transform(_frame().assign(same=[0.1, 0.1, 1.1, 0.1]))

    np.testing.assert_allclose(scaled["same"], [0, 0, 1, 0], atol=1e-12)


def test_scaler_without_columns_changes_nothing() -> None:
    pd.testing.assert_frame_equal(FrameScaler([]).fit(_frame()).transform(_frame()), _frame())


def test_moments_scale_a_matrix_as_the_frame() -> None:
    frame = _frame()
    scaler = FrameScaler(["x", "same"]).fit(frame)
    columns = ["flag", "same", "x"]

    means, deviations = scaler.moments(columns)

    np.testing.assert_array_equal((frame[columns].to_numpy() - means) / deviations, scaler.transform(frame)[columns].to_numpy())
    assert [values.tolist() for values in FrameScaler([]).moments(columns)] == [[0.0] * 3, [1.0] * 3]


def test_scaler_is_scikit_learns_to_the_bit() -> None:
    frame = pd.DataFrame(np.random.default_rng(1).normal(1e6, 3, (500, 2)), columns=["x", "y"])

    scaled = FrameScaler(["x", "y"]).fit(frame).transform(frame)

    np.testing.assert_array_equal(scaled.to_numpy(), StandardScaler().fit_transform(frame.to_numpy()))
