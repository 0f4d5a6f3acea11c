"""Tables learned from a small file."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.sandbox.forest_cover.learn import learn_profile
from mlops_assets.sandbox.forest_cover.samples import HILLSHADES
from mlops_assets.sandbox.forest_cover.terrain import slope_terms

SUN = [[218.0, -53.0, 120.0], [238.0, -72.0, -56.0], [156.0, -3.0, -201.0]]


@pytest.fixture(scope="module")
def profile() -> dict[str, list]:
    """Forty samples of one cover type in two places, and three of another, which are too few."""
    rng = np.random.default_rng(1)
    size = 43
    slope, aspect = rng.uniform(0, 20, size), rng.uniform(0, 360, size)
    samples = pd.DataFrame(
        {
            "Elevation": np.where(np.arange(size) % 2, 3000, 2000) + np.arange(size),
            "Aspect": aspect,
            "Slope": slope,
            "Horizontal_Distance_To_Hydrology": np.arange(size) * 30,
            "Vertical_Distance_To_Hydrology": np.arange(size) * 3,
            "Horizontal_Distance_To_Roadways": 1000 + rng.uniform(0, 9, size),
            **dict(zip(HILLSHADES, (slope_terms(slope, aspect) @ np.array(SUN).T).T, strict=True)),
            "Horizontal_Distance_To_Fire_Points": 2000 + rng.uniform(0, 9, size),
            "Wilderness_Area": "Rawah",
            "Soil_Type": "C7745",
            "Cover_Type": np.where(np.arange(size) < 40, 1, 6),
        }
    )
    return learn_profile(samples)


def test_samples_of_one_cover_type_are_halved_by_place(profile: dict[str, list]) -> None:
    sites = {tuple(site[4]): site[:4] for site in profile["sites"]}
    assert all(site == [1, "Rawah", "C7745", 10] for site in sites.values())
    assert len(sites) == 4
    assert sum(elevation[-1] < 2050 for elevation in sites) == 2
    assert sum(elevation[0] >= 3000 for elevation in sites) == 2


def test_a_site_tells_whole_quantiles_of_each_number(profile: dict[str, list]) -> None:
    lowest = min(profile["sites"], key=lambda site: site[4][0])
    assert lowest[4] == sorted(lowest[4])
    assert (lowest[4][0], len(lowest[4:]), {len(numbers) for numbers in lowest[4:]}) == (2000, 7, {5})
    assert all(isinstance(number, int) for numbers in lowest[4:] for number in numbers)


def test_hillshades_tell_where_the_sun_stands(profile: dict[str, list]) -> None:
    assert np.array(profile["hillshades"]) == pytest.approx(np.array(SUN), abs=0.05)
