"""Generated samples: any batch, with the terrain, soils and cover types of the real forest, deterministic by seed.

Here belongs how a batch's rows come to be; `learn` made the tables they start from.
"""

import json
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mlops_assets.sandbox.forest_cover.samples import COLUMNS, HILLSHADES, row_json

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PROFILE = Path(__file__).with_name("terrain.json")
DRAWN = (
    *("Elevation", "Aspect", "Slope"),
    *("Horizontal_Distance_To_Hydrology", "Vertical_Distance_To_Hydrology"),
    *("Horizontal_Distance_To_Roadways", "Horizontal_Distance_To_Fire_Points"),
)
"""The numbers that a site decides; the hillshades follow from slope and aspect."""
BRIGHTEST = 254
CELL = 30
"""Metres between neighbouring cells of the survey's grid: horizontal distances are those between cells."""
RECURRING = 0.02
"""Share of a batch's rows that other batches may have too."""


def slope_terms(slope: Floats, aspect: Floats) -> Floats:
    """What a hillshade is a weighted sum of, float64[n, 3]; both angles in degrees."""
    tilt, facing = np.radians(slope), np.radians(aspect)
    return np.column_stack([np.cos(tilt), np.sin(tilt) * np.cos(facing), np.sin(tilt) * np.sin(facing)])


class GeneratedSamples:
    """The batches of a forest that exists only here; the same seed gives the same rows. Batches stay in memory once they are asked for."""

    def __init__(self, seed: int, rows: int) -> None:
        if rows < 1:
            raise ValueError(f"a batch of {rows} rows cannot be generated; it needs one at least")
        self._seed = seed
        self._rows = rows
        self.batch = cache(self._generate)

    @cached_property
    def _forest(self) -> "Forest":
        return Forest()

    def _generate(self, number: int) -> Sequence[str]:
        """The rows of batch `number`, each as JSON."""
        rng = np.random.default_rng([self._seed, number])
        recurring = round(RECURRING * self._rows)
        common = self._forest.draw(np.random.default_rng([self._seed, 0]), 2 * recurring)
        repeated = [common[position] for position in rng.permutation(len(common))[:recurring].tolist()]
        return [*self._forest.draw(rng, self._rows - recurring), *repeated]


class Forest:
    """Sites and what grows there. A site has one cover type, wilderness area and soil type, and a range of each number."""

    def __init__(self) -> None:
        profile: dict[str, Any] = json.loads(PROFILE.read_text())
        covers, wilderness_areas, soils, rows, *quantiles = zip(*profile["sites"], strict=True)
        self._codes = list(zip(wilderness_areas, soils, map(str, covers), strict=True))
        self._shares = np.array(rows) / sum(rows)
        self._values = np.array(quantiles, float).transpose(1, 0, 2)
        self._quantiles = np.array(profile["quantiles"])
        self._mixing = np.linalg.cholesky(np.array(profile["correlation"]))
        self._hillshades = np.array(profile["hillshades"])

    def draw(self, rng: np.random.Generator, size: int) -> list[str]:
        """So many samples, each as JSON."""
        sites = rng.choice(len(self._codes), size, p=self._shares)
        numbers = dict(zip(DRAWN, self._numbers(rng, sites).T, strict=True))
        for name in DRAWN:
            if name.startswith("Horizontal"):
                numbers[name] = _between_cells(numbers[name])
        numbers["Vertical_Distance_To_Hydrology"][numbers["Horizontal_Distance_To_Hydrology"] == 0] = 0
        light = slope_terms(numbers["Slope"], numbers["Aspect"]) @ self._hillshades.T
        numbers |= dict(zip(HILLSHADES, light.round().clip(0, BRIGHTEST).T, strict=True))
        texts = (numbers[name].astype(int).astype(str).tolist() for name in COLUMNS if name in numbers)
        return [row_json((*values, *self._codes[site])) for *values, site in zip(*texts, sites.tolist(), strict=True)]

    def _numbers(self, rng: np.random.Generator, sites: Integers) -> Floats:
        """float64[n, DRAWN], whole numbers: correlated ranks, looked up between the quantiles of each row's site."""
        rank = ndtr(rng.standard_normal((len(sites), len(DRAWN))) @ self._mixing.T)
        above = np.searchsorted(self._quantiles, rank).clip(1, len(self._quantiles) - 1)
        low, high = self._quantiles[above - 1], self._quantiles[above]
        column = np.arange(len(DRAWN))
        from_value, to_value = self._values[sites[:, None], column, above - 1], self._values[sites[:, None], column, above]
        numbers: Floats = (from_value + (to_value - from_value) * (rank - low) / (high - low)).round()
        return numbers


def _between_cells(distances: Floats) -> Floats:
    """The nearest distances, whole metres, that two cells of the grid can have."""
    steps = np.arange(distances.max(initial=0) // CELL + 2)
    possible = np.unique((CELL * np.hypot(steps[:, None], steps)).round())
    above = np.searchsorted(possible, distances).clip(1)
    nearest: Floats = np.where(possible[above] - distances < distances - possible[above - 1], possible[above], possible[above - 1])
    return nearest
