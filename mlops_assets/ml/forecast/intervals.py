"""Prediction intervals from the errors of a back-test: conformal, each horizon from its own errors and those of its neighbours."""

import math

import numpy as np

ENOUGH = 16
"""Errors from which on farther horizons are not asked."""


def half_widths(errors: np.ndarray, coverage: float) -> np.ndarray:
    """How far the interval reaches on either side, (horizon, series), from errors (cutoffs, horizon, series).

    The smallest distance that, as the conformal rank has it, holds a new error with probability `coverage`. NaN with too few errors to
    say so: 4 for 80 %.
    """
    horizon, series = errors.shape[1:]
    absolute = np.abs(errors)
    widths = np.full((horizon, series), np.nan)
    for column in range(series):
        counts = np.cumsum(np.r_[0, (~np.isnan(absolute[:, :, column])).sum(axis=0)])
        for step in range(horizon):
            reach = next(
                (reach for reach in range(1, horizon) if counts[min(horizon, step + reach + 1)] - counts[max(0, step - reach)] >= ENOUGH),
                horizon,
            )
            near = absolute[:, max(0, step - reach) : step + reach + 1, column]
            widths[step, column] = _quantile(near[~np.isnan(near)], coverage)
    return widths


def _quantile(distances: np.ndarray, coverage: float) -> float:
    rank = math.ceil((len(distances) + 1) * coverage)
    return float(np.partition(distances, rank - 1)[rank - 1]) if 0 < rank <= len(distances) else float("nan")
