"""Standardising encoded columns by the training rows' mean and standard deviation."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler


class FrameScaler:
    """scikit-learn's StandardScaler on some columns of a frame; the other columns pass as they are.

    The standard deviation is the population's; a column that does not vary is only centred.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self.scaler = StandardScaler()

    def fit(self, frame: pd.DataFrame) -> Self:
        """Learn mean and standard deviation of the columns, float64 without missing values."""
        if self.columns:
            self.scaler.fit(frame[self.columns].to_numpy())
        return self

    def moments(self, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """What to subtract from the named columns and then to divide them by, float64[columns] each: 0 and 1 where one passes as it is."""
        if not self.columns:
            return np.zeros(len(columns)), np.ones(len(columns))
        means, deviations = (dict(zip(self.columns, values, strict=True)) for values in (self.scaler.mean_, self.scaler.scale_))
        return np.array([means.get(column, 0.0) for column in columns]), np.array([deviations.get(column, 1.0) for column in columns])

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A new frame with the columns standardised, in the same order of columns and rows."""
        means, deviations = self.moments(self.columns)
        scaled = {
            column: (frame[column].to_numpy() - mean) / deviation
            for column, mean, deviation in zip(self.columns, means, deviations, strict=True)
        }
        return frame.assign(**scaled)
