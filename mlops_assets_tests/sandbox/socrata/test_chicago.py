"""The generated city: the same from the same seed, and like the real one where models look."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from pyproj import Transformer

from mlops_assets.sandbox.socrata.chicago import GeneratedCrimes

TODAY = date(2018, 1, 1)


@pytest.fixture(scope="module")
def crimes() -> pd.DataFrame:
    """March 2017 in full size."""
    months = {partition.month: partition for partition in GeneratedCrimes(seed=1).partitions(TODAY)}
    return months["2017-03"].load().to_pandas()


def _month(seed: int, month: str, rows: int | None = 300):
    return next(partition for partition in GeneratedCrimes(seed, rows).partitions(TODAY) if partition.month == month)


def test_a_month_depends_on_seed_and_month_only() -> None:
    assert _month(1, "2016-07").load().equals(_month(1, "2016-07").load())
    assert not _month(1, "2016-07").load()["block"].equals(_month(2, "2016-07").load()["block"])


@pytest.mark.parametrize("rows", [None, 300])
def test_a_month_is_what_its_numbers_promise(rows: int | None) -> None:
    partition = _month(3, "2017-02", rows)
    table = partition.load()
    assert table.num_rows == partition.rows
    assert pc.max(table[":updated_at"]).as_py() == partition.newest
    low, high = partition.bounds["date"]
    assert low <= pc.min(table["date"]).as_py() <= pc.max(table["date"]).as_py() <= high


def test_a_year_has_the_real_size_and_seasons() -> None:
    rows = {partition.month: partition.rows for partition in GeneratedCrimes(seed=1).partitions(TODAY)}
    year = [rows[f"2017-{month:02d}"] for month in range(1, 13)]
    assert sum(year) == pytest.approx(267_792, rel=0.03)
    assert min(year) == year[1]
    assert year[6] > 1.1 * year[11]


def test_ids_are_unique_and_case_numbers_are_not(crimes: pd.DataFrame) -> None:
    assert crimes["id"].is_unique
    assert crimes[":id"].is_monotonic_increasing
    assert crimes["case_number"].str.fullmatch(r"JA\d{6}").all()
    assert 0 < crimes["case_number"].duplicated().sum() < 30


def test_rates_are_those_of_the_portal(crimes: pd.DataFrame) -> None:
    assert crimes["arrest"].mean() == pytest.approx(0.196, abs=0.02)
    by_type = crimes.groupby("primary_type")["arrest"].mean()
    assert by_type["NARCOTICS"] > 0.97
    assert by_type["THEFT"] == pytest.approx(0.10, abs=0.03)
    assert by_type["CRIMINAL TRESPASS"] == pytest.approx(0.59, abs=0.1)
    assert crimes["x_coordinate"].isna().mean() == pytest.approx(0.0104, abs=0.004)
    assert crimes["location_description"].isna().mean() == pytest.approx(0.0037, abs=0.002)
    assert crimes["district"].nunique() == 22
    assert (crimes["primary_type"] == "THEFT").mean() == pytest.approx(0.24, abs=0.02)


def test_places_agree_with_one_another(crimes: pd.DataFrame) -> None:
    assert (crimes["district"] == "0" + crimes["beat"].str[:2]).all()
    assert crimes["block"].str.fullmatch(r"\d{3}XX [NSEW] .+").all()
    assert crimes.groupby("block")["beat"].nunique().max() == 1
    assert crimes["block"].duplicated().mean() > 0.3
    found = crimes[crimes["x_coordinate"].notna() & (crimes["x_coordinate"] != "0")].astype(
        dict.fromkeys(("x_coordinate", "y_coordinate", "latitude", "longitude"), float)
    )
    latitude, longitude = Transformer.from_crs(3435, 4326).transform(found["x_coordinate"], found["y_coordinate"])
    assert np.abs(latitude - found["latitude"]).max() < 1e-8
    assert np.abs(longitude - found["longitude"]).max() < 1e-8
    assert found["latitude"].between(41.6, 42.1).all()


def test_low_rates_of_dirt_are_there(crimes: pd.DataFrame) -> None:
    lost = crimes[crimes["x_coordinate"] == "0"]
    assert 0 < len(lost) < 30
    assert (lost["latitude"] == "36.619446395").all()
    odd = crimes["location_description"].dropna()
    assert 0 < (odd != odd.str.upper().str.strip()).sum() < 100


def test_updates_come_late(crimes: pd.DataFrame) -> None:
    delay = pd.to_datetime(crimes["updated_on"]) - pd.to_datetime(crimes["date"])
    assert delay.min() > pd.Timedelta(days=6)
    assert delay.max() > pd.Timedelta(days=25)


def test_the_size_of_a_month_has_limits() -> None:
    with pytest.raises(ValueError, match="between 1 and 50000"):
        GeneratedCrimes(seed=1, rows_per_month=0)
