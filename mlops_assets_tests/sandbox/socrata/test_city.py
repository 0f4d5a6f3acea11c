"""The city: draws that follow their weights, and arrests that depend on what, where and when."""

import numpy as np
import pytest

from mlops_assets.sandbox.socrata.city import City, Conditional


def test_options_are_drawn_by_the_weights_of_their_group() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 20_000)
    drawn = Conditional([[3, 1, 0], [0, 0, 5]]).draw(group, rng.random(len(group)))
    assert np.bincount(drawn[group == 0], minlength=3) / 20_000 == pytest.approx([0.75, 0.25, 0.0], abs=0.02)
    assert set(drawn[group == 1]) == {2}


def test_an_arrest_depends_on_crime_block_hour_and_minute() -> None:
    city, rng = City(seed=3), np.random.default_rng(0)
    pairs = city.draw_pairs(rng, 5000)
    types = city.code_types[city.pair_codes[pairs]]
    hours, minutes, blocks = city.draw_hours(rng, types), city.draw_minutes(rng, len(types)), city.draw_blocks(rng, types)
    probability = city.arrest_probability(pairs, hours, minutes, blocks)
    assert probability.mean() == pytest.approx(0.195, abs=0.02)
    for moved in (
        city.arrest_probability(pairs[::-1], hours, minutes, blocks),
        city.arrest_probability(pairs, hours[::-1], minutes, blocks),
        city.arrest_probability(pairs, hours, minutes[::-1], blocks),
        city.arrest_probability(pairs, hours, minutes, blocks[::-1]),
    ):
        assert np.abs(moved - probability).mean() > 0.003


def test_a_block_belongs_to_the_district_of_its_beat() -> None:
    city = City(seed=3)
    beats = [city.beats[position] for position in city.block_beats]
    districts = [city.districts[position] for position in city.block_districts]
    assert len(city.blocks) > 20_000
    assert all(district == f"0{beat[:2]}" for beat, district in zip(beats, districts, strict=True))
