"""Tables learned from a small export."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_assets.sandbox.donostia import PARKINGS
from mlops_assets.sandbox.donostia.learn import learn_profile

START = datetime(2022, 1, 23, 23)
"""Monday, 0:00 in Donostia."""
FROZEN = 21 * 24


@pytest.fixture(scope="module")
def profile() -> dict[str, object]:
    """Three weeks of hours, then three days in which nothing changes and one with other counts.

    Every car park has 100 free spaces, on Saturdays 40, at 12 o'clock 20 fewer. Half
    of the errors' variance is common. Illumbe has 0 always; Arcco as long as the city moves.
    """
    rng = np.random.default_rng(1)
    hours = np.arange(FROZEN + 96)
    common = rng.normal(0, 6, len(hours))
    rows = []
    for parking in PARKINGS:
        free = 100.0 - 60 * (hours // 24 % 7 == 5) - 20 * (hours % 24 == 12) + common + rng.normal(0, 6, len(hours))
        free[FROZEN + 72 :] = 500
        free[FROZEN : FROZEN + 72] = free[FROZEN]
        if parking.name == "Illumbe":
            free[:] = 0
        if parking.name == "Arcco":
            free[: FROZEN + 72] = 0
        times = [str(START + timedelta(hours=hour)) for hour in hours.tolist()]
        counts = free.round().astype(int)
        rows.append(pd.DataFrame({"properties.nombre": parking.name, "properties.libres": counts, "timestamp": times}))
    return learn_profile(pd.concat(rows))


def test_means_are_those_of_local_hours_before_the_feed_stood_still(profile: dict) -> None:
    atotxa = profile["parkings"]["Atotxa"]
    monday, friday, saturday, sunday = np.array(atotxa["mean"])
    assert monday[[3, 11, 12, 13]] == pytest.approx([100, 95, 90, 95], abs=4)
    assert friday[3] == pytest.approx(100, abs=8)
    assert saturday[[3, 12]] == pytest.approx([40, 30], abs=8)
    assert sunday[20] == pytest.approx(100, abs=8)
    assert 100 < atotxa["top"] < 140


def test_departures_from_the_mean_are_spread_and_shared(profile: dict) -> None:
    assert np.mean(profile["parkings"]["Easo"]["spread"]) == pytest.approx(78**0.5, abs=0.8)
    assert profile["correlation"] == pytest.approx(0.5, abs=0.1)
    assert profile["memory"] == pytest.approx(0, abs=0.15)


def test_zeros_are_learned_only_where_there_is_nothing_else(profile: dict) -> None:
    assert profile["parkings"]["Illumbe"] == {"top": 0, "mean": [[0] * 24] * 4, "spread": [0.0] * 24}
    assert profile["parkings"]["Arcco"] == {"top": 500, "mean": [[500] * 24] * 4, "spread": [0.0] * 24}
