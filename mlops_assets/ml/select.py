"""How much each feature tells about the target, and which features tell enough. Nothing here fits a model."""

import logging

import numpy as np
import pandas as pd
from scipy.special import digamma
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import scale
from sklearn.utils import check_array

from mlops_assets.domain import Selection

logger = logging.getLogger(__name__)


def select_features(frame: pd.DataFrame, spec: Selection, *, target: str, columns: list[str]) -> pd.DataFrame:
    """Score `columns` of a balanced or encoded frame: [feature (string), mutual_information (float64, nats), selected (bool)].

    One row per column, descending by score, then by name.
    """
    scores = mutual_information(frame[columns], frame[target].to_numpy(), neighbours=spec.neighbours, seed=spec.seed)
    table = pd.DataFrame({"feature": pd.Series(columns, dtype=pd.StringDtype("pyarrow")), "mutual_information": scores})
    table["selected"] = table["mutual_information"] > spec.threshold
    logger.info("selected %d of %d features on %d rows", table["selected"].sum(), len(table), len(frame))
    return table.sort_values(["mutual_information", "feature"], ascending=[False, True], ignore_index=True)


def mutual_information(features: pd.DataFrame, target: np.ndarray, *, neighbours: int, seed: int) -> np.ndarray:
    """Mutual information in nats, float64[columns], of each continuous feature [n, columns] with the discrete target [n].

    The estimate of Ross (2014), as `sklearn.feature_selection.mutual_info_classif` gives it with `discrete_features=False` and
    `random_state=seed`. With one feature at a time the neighbours stand beside each other in sorted order, so that sorting and
    binary search take the place of search trees. Raises ValueError on a value that is not finite.
    """
    # Column by column in memory: a standard deviation's last digits depend on the order of summation, and ties on those digits.
    values = scale(check_array(features, dtype=np.float64, order="F"), with_mean=False)
    # The noise breaks ties, as Kraskov et al. (2004) advise.
    noise = np.random.RandomState(seed).standard_normal(size=values.shape)
    values += 1e-10 * np.maximum(1, np.abs(values).mean(axis=0)) * noise
    classes = [target == label for label in np.unique(target)]
    return np.array([_mutual_information([column[members] for members in classes], neighbours) for column in values.T])


def _mutual_information(classes: list[np.ndarray], neighbours: int) -> float:
    """The estimate for one feature, given its values class by class. A class of one row takes no part."""
    classes = [np.sort(values) for values in classes if len(values) > 1]
    everything = np.sort(np.concatenate(classes))
    rows = len(everything)
    expected = digamma(rows)
    for values in classes:
        k = min(neighbours, len(values) - 1)
        counts = _counts_within(values, np.nextafter(_kth_distances(values, k), 0), everything)
        expected += (len(values) * (digamma(k) - digamma(len(values))) - digamma(counts).sum()) / rows
    return max(0.0, float(expected))


def _kth_distances(ordered: np.ndarray, k: int) -> np.ndarray:
    """float64[n]: distance from each of the sorted values to its k-th nearest other one, 0 < k < n.

    The value and its k nearest are k + 1 values in a row, one of the k + 1 such windows around it.
    """
    if k >= len(ordered) // 2:
        # scikit-learn measures so small a class by another formula, whose rounding shows.
        distances, _ = NearestNeighbors(n_neighbors=k).fit(ordered[:, None]).kneighbors()
        return np.asarray(distances[:, -1])
    distance = np.full(len(ordered), np.inf)
    windows = len(ordered) - k
    for left in range(k + 1):
        member = ordered[left : left + windows]
        farthest = np.maximum(member - ordered[:windows], ordered[k:] - member)
        np.minimum(distance[left : left + windows], farthest, out=distance[left : left + windows])
    return distance


def _counts_within(centres: np.ndarray, radius: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """int64[n]: how many of the sorted values lie within each radius of its centre, itself one of them; the bound is within."""
    not_above = _reach(centres, radius, ordered)
    not_below = _reach(-centres[::-1], radius[::-1], -ordered[::-1])[::-1]
    within: np.ndarray = not_above + not_below - len(ordered)
    return within


def _reach(centres: np.ndarray, radius: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """int64[n]: how many of the sorted values are at most radius above each centre.

    `value - centre <= radius` decides. `centre + radius` rounds differently, so what a binary search for it finds is put right.
    """
    reach: np.ndarray = np.searchsorted(ordered, centres + radius, side="right")
    bounded = np.append(ordered, np.inf)
    moving = np.arange(len(centres))
    while len(moving := moving[bounded[reach[moving]] - centres[moving] <= radius[moving]]):
        reach[moving] += 1
    moving = np.arange(len(centres))
    while len(moving := moving[ordered[reach[moving] - 1] - centres[moving] > radius[moving]]):
        reach[moving] -= 1
    return reach
