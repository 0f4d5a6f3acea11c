"""A history of car parks and their total."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import Backtest, ForecastDomain, Hourly, Method

CREATED_AT = datetime(2022, 2, 14, 9, tzinfo=UTC)
COLUMNS = ("hour", "parking_id", "free")
DOMAIN = ForecastDomain(
    name="parking",
    title="Parking",
    description="Free spaces.",
    cadence=Hourly(start="2022-01-01T00", window=672),
    request=(),
    id_column="parking_id",
    time_column="hour",
    target="free",
    total="all",
    methods=(Method("weekly_profile", ""), Method("seasonal_naive_day", ""), Method("last_value", "")),
    backtest=Backtest(cutoffs=5, min_cutoffs=3),
)


def made(hours: int = 24 * 14) -> pd.DataFrame:
    """The hours before CREATED_AT: three car parks that fill by day, half as much on Saturday and Sunday, and their sum."""
    index = pd.date_range(end=pd.Timestamp(CREATED_AT) - pd.Timedelta(hours=1), periods=hours, freq="h")
    random = np.random.default_rng(3)
    busy = np.exp(-(((index.hour - 12) / 4) ** 2)) * np.where(index.dayofweek >= 5, 0.5, 1)
    wide = pd.DataFrame({key: (size * (0.9 - 0.7 * busy) + random.normal(0, 4, hours)).round() for key, size in SIZES.items()}, index=index)
    return long(wide)


def long(wide: pd.DataFrame) -> pd.DataFrame:
    rows = wide.rename_axis("hour").reset_index().melt("hour", var_name="parking_id", value_name="free")
    total = wide.sum(axis=1).rename("free").rename_axis("hour").reset_index().assign(parking_id=None)
    return pd.concat([rows, total[["hour", "parking_id", "free"]]], ignore_index=True)


def wide_of(history: pd.DataFrame) -> pd.DataFrame:
    return history.dropna(subset="parking_id").pivot(index="hour", columns="parking_id", values="free")


SIZES = {"a": 300, "b": 200, "c": 500}


@pytest.fixture(scope="session")
def history() -> pd.DataFrame:
    return made()
