"""What the pages of a forecasting system let people choose alike: how much of its series to look at, and which days."""

from typing import Any

import streamlit as st

from mlops_assets.dashboard import session
from mlops_assets.dashboard.answers import Series
from mlops_assets.dashboard.client import NotReadyError
from mlops_assets.dashboard.series import total_first
from mlops_assets.dashboard.wording import count

HISTORY_DAYS, DEFAULT_HISTORY_DAYS = (2, 7, 14, 28), 7
ACCURACY_DAYS, DEFAULT_ACCURACY_DAYS = (7, 28, 90), 28
DAY_HOURS = 24


def shown_series(place: Any, key: str) -> dict[str | None, Series]:
    """Every stored series by its id, the total first, for as many days as are chosen at `place`. Raises ApiError, also if there is none."""
    # Read first, so that nobody chooses among days of which none is stored.
    found = total_first(session.history(st.session_state.setdefault(key, DEFAULT_HISTORY_DAYS) * DAY_HOURS).series)
    if not found:
        raise NotReadyError("No observations are stored.")
    _days(place, "History", HISTORY_DAYS, DEFAULT_HISTORY_DAYS, key)
    return {one.id: one for one in found}


def accuracy_days(place: Any, key: str) -> int:
    """How many days of past forecasts to look at."""
    return _days(place, "Forecasts for the last", ACCURACY_DAYS, DEFAULT_ACCURACY_DAYS, key)


def _days(place: Any, label: str, options: tuple[int, ...], default: int, key: str) -> int:
    st.session_state.setdefault(key, default)
    return int(place.selectbox(label, options, format_func=lambda days: count(days, "day"), key=key))
