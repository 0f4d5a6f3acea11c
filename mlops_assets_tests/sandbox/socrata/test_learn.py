"""Tables learned from a small export."""

import pandas as pd

from mlops_assets.sandbox.socrata.learn import learn_profile


def _export() -> pd.DataFrame:
    row = {
        "date": "03/06/2017 10:00:00 PM",
        "block": "001XX N STATE ST",
        "iucr": "0820",
        "primary_type": "THEFT",
        "description": "$500 AND UNDER",
        "location_description": "STREET",
        "domestic": "false",
        "beat": "0111",
        "district": "001",
        "ward": "42",
        "community_area": "32",
        "fbi_code": "06",
    }
    rows = [
        {**row, "arrest": str(position % 4 == 0).lower(), "block": f"{position % 2:03d}XX N STATE ST", "x_coordinate": "1176350"}
        | {"y_coordinate": str(1_900_000 + 660 * (position % 2))}
        for position in range(120)
    ]
    return pd.DataFrame(rows)


def test_a_profile_counts_codes_places_and_hours() -> None:
    profile = learn_profile(_export())
    assert profile["codes"] == [["0820", 0, "$500 AND UNDER", "06", 120, 30, 0]]
    assert profile["pairs"] == [[0, 0, 120, 30]]
    assert profile["hours"][0][22] == 120
    assert profile["districts"] == ["001"]
    assert profile["areas"] == [["0111", 42, 32, 1176350, 1900330, 120]]


def test_a_street_is_a_line_through_its_blocks() -> None:
    assert learn_profile(_export())["streets"] == [["N STATE ST", 0, 1, 1176350, 1900000, 1176350, 1901320, 120]]
