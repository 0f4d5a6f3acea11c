"""Leaving out training rows with extreme values. Test rows never come here: a model meets outliers when it serves."""

import logging

import numpy as np
import pandas as pd

from mlops_assets.domain import Outliers

logger = logging.getLogger(__name__)

REPORT = {"column": "string[pyarrow]", "mean": "float64", "std": "float64", "low": "float64", "high": "float64", "removed": "int64"}
"""Columns and types of the report."""


def remove_outliers(train: pd.DataFrame, spec: Outliers) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the rows whose every `spec.columns` value lies within mean +/- `spec.deviations` sample standard deviations.

    Bounds come from all of `train`; a missing value is no outlier. Returns the kept rows (fresh RangeIndex, same columns and order)
    and a report with one row per column: [column, mean, std, low, high, removed], in the column's unit. A row that is an outlier
    in two columns counts in both.
    """
    keep = np.ones(len(train), dtype=bool)
    report = []
    for column in spec.columns:
        values = train[column].to_numpy(dtype=np.float64, na_value=np.nan)
        mean, std = float(pd.Series(values).mean()), float(pd.Series(values).std())
        low, high = mean - spec.deviations * std, mean + spec.deviations * std
        outlier = (values < low) | (values > high)
        keep &= ~outlier
        report.append((column, mean, std, low, high, int(outlier.sum())))
    logger.info("left out %d outliers of %d training rows", (~keep).sum(), len(train))
    return train[keep].reset_index(drop=True), pd.DataFrame(report, columns=list(REPORT)).astype(REPORT)
