"""The nearest of a few sites for each of many points in a plane. No geography: coordinates come projected."""

import numpy as np

CHUNK = 16_384
"""Points at a time: a handful of arrays of this length stay in a core's cache."""


def nearest_point(points: np.ndarray, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest site, int64[n], and distance to it, float64[n], for `points` float64[n, 2] among `sites` float64[m, 2].

    Distances are Euclidean, in the unit of the coordinates. Of equally near sites the lowest index wins. A point with a NaN
    coordinate gives -1 and NaN. Every pair is measured: for tens of sites that is faster than a search tree, and its ties are
    exact. Raises ValueError when there is no site, or one without coordinates.
    """
    if not len(sites) or np.isnan(sites).any():
        raise ValueError(f"nearest_point needs at least one site and coordinates for each; got {len(sites)} sites")
    index = np.empty(len(points), dtype=np.int64)
    distance = np.empty(len(points))
    for start in range(0, len(points), CHUNK):
        rows = slice(start, start + CHUNK)
        x, y = np.ascontiguousarray(points[rows].T)
        index[rows], distance[rows] = _nearest_of_chunk(x, y, sites)
    return index, distance


def _nearest_of_chunk(x: np.ndarray, y: np.ndarray, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    best = np.full(len(x), np.inf)
    index = np.zeros(len(x), dtype=np.int32)
    for site, (site_x, site_y) in enumerate(sites):
        squared = (x - site_x) ** 2 + (y - site_y) ** 2
        # The last site that improves is the winner. Multiplying is several times faster than assigning through a mask.
        np.maximum(index, (squared < best) * np.int32(site), out=index)
        np.minimum(best, squared, out=best)
    return np.where(np.isnan(best), -1, index), np.sqrt(best)
