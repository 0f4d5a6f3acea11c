"""Standardising encoded columns by the training rows' mean and standard deviation."""

from collections.abc import Sequence
from typing import Self

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

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A new frame with the columns standardised, in the same order of columns and rows."""
        if not self.columns:
            return frame.copy()
        values = self.scaler.transform(frame[self.columns].to_numpy())
        return frame.assign(**dict(zip(self.columns, values.T, strict=True)))
