"""The city behind the generated crimes: its blocks, its kinds of crime and what makes an arrest likely, fixed by the seed.

Here belongs what is the same in every month. `chicago` draws months from it; `learn` made the frequency tables it starts from.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PROFILE = Path(__file__).with_name("chicago.json")
BLOCK_EFFECT, TYPE_BEAT_EFFECT = 0.45, 0.35
"""Standard deviations, in log-odds of an arrest, of what a block and a kind of crime in a beat add."""
PAIR_SHRINKAGE = 2.0
"""Rows of prior, at the code's arrest rate, of a code at a location."""


class Conditional:
    """Draws an option for each row given the row's group; `weights` has the shape groups x options."""

    def __init__(self, weights: Any) -> None:
        table = np.asarray(weights, float)
        shares = np.cumsum(table, axis=1) / table.sum(axis=1, keepdims=True)
        self._options = table.shape[1]
        self._cumulative = (shares + np.arange(len(table))[:, None]).ravel()

    def draw(self, group: Integers, uniform: Floats) -> Integers:
        """The option of each row; `uniform` lies in [0, 1)."""
        flat = np.searchsorted(self._cumulative, group + uniform, side="right")
        options: Integers = np.minimum(flat - group * self._options, self._options - 1)
        return options


class City:
    """Blocks, crimes and arrest odds. Positions, never names, stand for blocks, beats, types and codes in its arrays."""

    def __init__(self, seed: int) -> None:
        profile: dict[str, Any] = json.loads(PROFILE.read_text())
        self.months: list[int] = profile["months"]
        self.weekday_weights = np.array(profile["weekdays"], float)
        self.locations: list[str] = profile["locations"]
        self._build_crimes(profile)
        self._build_blocks(profile, np.random.default_rng([seed, 1]))
        self._hours = Conditional(profile["hours"])
        self._minutes = Conditional([profile["minutes"]])
        self._hour_effects = np.array(profile["hour_effects"])
        self._minute_effects = np.array(profile["minute_effects"])
        self._type_beat_effects = np.random.default_rng([seed, 2]).normal(0, TYPE_BEAT_EFFECT, (len(profile["types"]), len(self.beats)))

    def _build_crimes(self, profile: dict[str, Any]) -> None:
        iucr, types, descriptions, fbi_codes, rows, arrests, domestic = zip(*profile["codes"], strict=True)
        self.iucr, self.descriptions, self.fbi_codes = list(iucr), list(descriptions), list(fbi_codes)
        self.primary_types = [profile["types"][position] for position in types]
        self.code_types = np.array(types)
        self.domestic_rates = np.array(domestic) / np.array(rows)
        pairs = np.array(profile["pairs"])
        self.pair_codes, self.pair_locations = pairs[:, 0], pairs[:, 1]
        self._pairs = Conditional(pairs[None, :, 2])
        code_rate = (np.array(arrests) / np.array(rows))[self.pair_codes]
        rate = (pairs[:, 3] + PAIR_SHRINKAGE * code_rate) / (pairs[:, 2] + PAIR_SHRINKAGE)
        clipped = np.clip(rate, 0.001, 0.9995)
        self._pair_odds = np.log(clipped / (1 - clipped))

    def _build_blocks(self, profile: dict[str, Any], rng: np.random.Generator) -> None:
        """Cuts every street into blocks and gives each the beat, ward and community area of the nearest known area."""
        names, first, last, *ends, rows = (np.array(column) for column in zip(*profile["streets"], strict=True))
        lengths = last - first + 1
        street = np.repeat(np.arange(len(names)), lengths)
        step = np.arange(len(street)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        x_first, y_first, x_last, y_last = (np.asarray(end, float) for end in ends)
        step_x, step_y = ((x_last - x_first) / lengths)[street], ((y_last - y_first) / lengths)[street]
        x, y = x_first[street] + step * step_x, y_first[street] + step * step_y

        beats, wards, community_areas, area_x, area_y, area_rows = zip(*profile["areas"], strict=True)
        area = cKDTree(np.column_stack([area_x, area_y])).query(np.column_stack([x, y]))[1]
        weight = (rows / lengths)[street] * rng.lognormal(0, 0.9, len(street))
        weight *= (np.array(area_rows) / np.maximum(np.bincount(area, weight, len(area_rows)), 1e-9))[area]

        districts: list[str] = profile["districts"]
        area_district = np.array([districts.index(f"0{beat[:2]}") for beat in beats])
        order = np.argsort(area_district[area], kind="stable")
        self.blocks = [f"{hundred:03d}XX {name}" for hundred, name in zip((first[street] + step)[order], names[street[order]], strict=True)]
        self.block_x, self.block_y = x[order], y[order]
        self.block_step_x, self.block_step_y = step_x[order], step_y[order]
        self.districts, self.beats = districts, sorted(set(beats))
        self.block_districts = area_district[area[order]]
        self.block_beats = np.array([self.beats.index(beat) for beat in beats])[area[order]]
        self.block_wards = np.array(wards)[area[order]]
        self.block_community_areas = np.array(community_areas)[area[order]]
        self._district_of_type = Conditional(profile["type_districts"])
        self._block_shares = _shares_within(weight[order], self.block_districts)
        self._block_effects = (
            rng.normal(0, BLOCK_EFFECT, len(street))
            + np.array([profile["beat_effects"].get(beat, 0.0) for beat in self.beats])[self.block_beats]
        )

    def draw_pairs(self, rng: np.random.Generator, size: int) -> Integers:
        """Crimes: a position in `pair_codes` and `pair_locations` for each row."""
        return self._pairs.draw(np.zeros(size, int), rng.random(size))

    def draw_hours(self, rng: np.random.Generator, types: Integers) -> Integers:
        """Hour of the day, 0 to 23, of each row."""
        return self._hours.draw(types, rng.random(len(types)))

    def draw_minutes(self, rng: np.random.Generator, size: int) -> Integers:
        """Minute of the hour, 0 to 59, of each row: rounded, often, where somebody only remembers about when it was."""
        return self._minutes.draw(np.zeros(size, int), rng.random(size))

    def draw_blocks(self, rng: np.random.Generator, types: Integers) -> Integers:
        """The block of each row: first a district that knows this type of crime, then a block in it."""
        district = self._district_of_type.draw(types, rng.random(len(types)))
        return np.searchsorted(self._block_shares, district + rng.random(len(types)), side="right")

    def arrest_probability(self, pairs: Integers, hours: Integers, minutes: Integers, blocks: Integers) -> Floats:
        """Of each row, from what happened, where, and when.

        The effects widen the logistic curve, so that rates by code and location stay those of the real year.
        """
        types = self.code_types[self.pair_codes[pairs]]
        when = self._hour_effects[hours] + self._minute_effects[minutes]
        effect = when + self._block_effects[blocks] + self._type_beat_effects[types, self.block_beats[blocks]]
        rate = _logistic(self._pair_odds[pairs])
        centre = np.average(effect, weights=rate * (1 - rate))
        return _logistic(self._pair_odds[pairs] * np.sqrt(1 + np.pi / 8 * effect.var()) + effect - centre)


def _logistic(odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-odds))


def _shares_within(weights: Floats, groups: Integers) -> Floats:
    """Cumulative share of each weight within its group, plus the group; `groups` is sorted."""
    total = np.cumsum(weights)
    starts = np.concatenate([[0.0], total])[np.searchsorted(groups, np.arange(groups.max() + 1))]
    sums = np.bincount(groups, weights)
    shares: Floats = (total - starts[groups]) / sums[groups] * (1 - 1e-12) + groups
    return shares
