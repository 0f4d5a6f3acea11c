"""The nearest police station of a year's crimes: `nearest_point` against `geopandas.sjoin_nearest`.

    python benchmarks/nearest_station.py [--data FOLDER]

FOLDER holds the portal's exports `crimes*.csv.gz` and `police_stations.csv`; without it, points of the same number are made up.
Exit code 1: another station for any crime, or less than 8 times as fast. Building geometries does not count against geopandas.
"""

import argparse
import sys
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
from measure import cpu_seconds, report

from mlops_assets.ml.nearest import nearest_point

BAR = 8
CRIMES, STATIONS = 265_000, 22
COORDINATES = ["X COORDINATE", "Y COORDINATE"]


def made_up() -> tuple[np.ndarray, np.ndarray]:
    """Crimes and stations in a rectangle as large as Chicago, US survey feet."""
    rng = np.random.default_rng(0)
    low, high = (1_090_000, 1_813_000), (1_205_000, 1_952_000)
    return np.round(rng.uniform(low, high, (CRIMES, 2))), rng.uniform(low, high, (STATIONS, 2))


def exported(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Crimes that have coordinates, and stations."""
    frames = [pd.read_csv(path).rename(columns=str.upper) for path in (next(folder.glob("crimes*.csv.gz")), folder / "police_stations.csv")]
    crimes, stations = (frame[COORDINATES].dropna().to_numpy(dtype=np.float64) for frame in frames)
    return crimes, stations


def geometries(points: np.ndarray) -> geopandas.GeoDataFrame:
    """Points in EPSG:3435, US survey feet."""
    return geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(*points.T), crs="EPSG:3435")


def main() -> int:
    """Measure, compare, print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    points, sites = exported(arguments.data) if arguments.data else made_up()
    crimes, stations = geometries(points), geometries(sites)

    index, distance = nearest_point(points, sites)
    joined = crimes.sjoin_nearest(stations, distance_col="distance").groupby(level=0).min(numeric_only=True)
    same = np.array_equal(index, joined["index_right"]) and np.allclose(distance, joined["distance"], rtol=1e-12)
    ours, theirs = cpu_seconds(
        lambda: nearest_point(points, sites),
        lambda: crimes.sjoin_nearest(stations, distance_col="distance"),
        repeats=arguments.repeats,
    )
    return report(f"nearest {len(points)}x{len(sites)}", ours, theirs, bar=BAR, same=same)


if __name__ == "__main__":
    sys.exit(main())
