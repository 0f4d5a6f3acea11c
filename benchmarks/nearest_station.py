"""The nearest police station of a year's crimes: `nearest_point` against `geopandas.sjoin_nearest`, at least 8 times as fast.

The same stations and distances are demanded. Building geometries does not count against GeoPandas.
"""

from collections.abc import Iterator

import geopandas
import numpy as np

from benchmarks.measure import Row, cpu_seconds, in_turn
from benchmarks.platform import Platform
from mlops_assets.domains.chicago_crime.transforms import CrimeEnricher
from mlops_assets.ml.nearest import nearest_point

BAR = 1 / 8
REPEATS = 9


def rows(platform: Platform) -> Iterator[Row]:
    """One row."""
    platform.ingested()
    points = platform.frame("enriched")[["x_ft", "y_ft"]].dropna().to_numpy()
    sites = CrimeEnricher.from_stations(platform.frame("raw_police_stations")).sites
    crimes, stations = geometries(points), geometries(sites)

    index, distance = nearest_point(points, sites)
    joined = crimes.sjoin_nearest(stations, distance_col="distance").groupby(level=0).min(numeric_only=True)
    same = np.array_equal(index, joined["index_right"]) and np.allclose(distance, joined["distance"], rtol=1e-12)
    ours, theirs = in_turn(
        lambda: cpu_seconds(lambda: nearest_point(points, sites)),
        lambda: cpu_seconds(lambda: crimes.sjoin_nearest(stations, distance_col="distance")),
        repeats=REPEATS,
    )
    yield Row(f"nearest_station, {len(points):,} x {len(sites)}", ours, theirs, BAR, same=same)


def geometries(points: np.ndarray) -> geopandas.GeoDataFrame:
    """Points in EPSG:3435, US survey feet."""
    return geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(*points.T), crs="EPSG:3435")
