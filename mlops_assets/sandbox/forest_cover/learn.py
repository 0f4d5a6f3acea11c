"""Learns `terrain.json`, the tables behind the generated samples, from a file of real ones.

Here belongs only what turns samples into tables; `terrain` turns the tables into samples. Run it again with
`python -m mlops_assets.sandbox.forest_cover.learn <covertype.csv[.gz]>` after a change to what the tables hold.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

from mlops_assets.sandbox.forest_cover.samples import HILLSHADES
from mlops_assets.sandbox.forest_cover.terrain import DRAWN, PROFILE, slope_terms

QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
CODES = ["Cover_Type", "Wilderness_Area", "Soil_Type"]
PLACE = ["Elevation", "Horizontal_Distance_To_Roadways", "Horizontal_Distance_To_Fire_Points"]
"""Columns that tell, together, where in a wilderness area a sample lies."""
SITE_SHARE, SITE_ROWS = 0.01, 15
"""Samples of one cover type, wilderness area and soil type are halved until a site has less than this share of the cover type's rows, or
fewer rows than these."""
RARE = 5
"""A site needs this many samples to be kept."""
SATURATED = (0, 254)
"""Hillshades at the ends of their scale say nothing about the sun."""


def learn_profile(samples: pd.DataFrame) -> dict[str, Any]:
    """The tables of a file of samples with the API's column names.

    `sites`: [cover type, wilderness area, soil type, rows, for each of `DRAWN` its `quantiles`]; `correlation`: of the normal scores
    of `DRAWN` within a site; `hillshades`: weights of `slope_terms`, for each of the three.
    """
    sites = [site for _, group in samples.groupby("Cover_Type") for site in _sites_of(group, samples[PLACE].std()) if len(site) >= RARE]
    return {
        "quantiles": list(QUANTILES),
        "correlation": _correlation(sites),
        "hillshades": [_hillshade(samples, name) for name in HILLSHADES],
        "sites": [_describe(site) for site in sites],
    }


def _sites_of(cover: pd.DataFrame, spread: "pd.Series[float]") -> Iterator[pd.DataFrame]:
    for _, samples in cover.groupby(CODES[1:]):
        yield from _halved(samples, spread, max(SITE_ROWS, SITE_SHARE * len(cover)))


def _halved(samples: pd.DataFrame, spread: "pd.Series[float]", rows: float) -> Iterator[pd.DataFrame]:
    """The samples, halved at the median of the place column that varies most until they are fewer than `rows` or all alike."""
    place = (samples[PLACE].std() / spread).idxmax() if len(samples) >= rows else None
    near = samples[place] <= samples[place].median() if place is not None else None
    if near is None or near.all():
        yield samples
        return
    yield from _halved(samples[near], spread, rows)
    yield from _halved(samples[~near], spread, rows)


def _describe(site: pd.DataFrame) -> list[Any]:
    cover, wilderness, soil = site[CODES].iloc[0].tolist()
    quantiles: list[list[int]] = np.quantile(site[list(DRAWN)], QUANTILES, axis=0).round().astype(int).T.tolist()
    return [int(cover), wilderness, soil, len(site), *quantiles]


def _correlation(sites: list[pd.DataFrame]) -> list[list[float]]:
    scores = [ndtri((rankdata(site[list(DRAWN)], axis=0) - 0.5) / len(site)) for site in sites]
    correlation: list[list[float]] = np.corrcoef(np.concatenate(scores).T).round(3).tolist()
    return correlation


def _hillshade(samples: pd.DataFrame, name: str) -> list[float]:
    lit = samples[samples[name].between(*SATURATED, inclusive="neither")]
    terms = slope_terms(lit["Slope"].to_numpy(float), lit["Aspect"].to_numpy(float))
    weights: list[float] = np.linalg.lstsq(terms, lit[name].to_numpy(float), rcond=None)[0].round(2).tolist()
    return weights


if __name__ == "__main__":
    tables = learn_profile(pd.read_csv(sys.argv[1]))
    sites = ",\n".join(json.dumps(site, separators=(",", ":")) for site in tables.pop("sites"))
    PROFILE.write_text(f'{json.dumps(tables, separators=(",", ":"))[:-1]},\n"sites":[\n{sites}]}}\n')
