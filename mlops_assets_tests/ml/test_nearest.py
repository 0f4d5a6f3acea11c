"""Tests of the nearest-site search against every pair measured in one go."""

import numpy as np
import pytest

from mlops_assets.ml.nearest import CHUNK, nearest_point


def test_nearest_point_finds_the_nearest_of_all_sites() -> None:
    rng = np.random.default_rng(0)
    points, sites = rng.uniform(0, 1e6, (2 * CHUNK + 3, 2)), rng.uniform(0, 1e6, (7, 2))

    index, distance = nearest_point(points, sites)

    every = np.hypot(*(points[:, None, :] - sites).transpose(2, 0, 1))
    assert index.dtype == np.int64
    np.testing.assert_array_equal(index, every.argmin(axis=1))
    np.testing.assert_allclose(distance, every.min(axis=1), rtol=1e-14)


def test_nearest_point_prefers_the_lowest_index_among_equals() -> None:
    sites = np.array([[9.0, 9.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])

    index, distance = nearest_point(np.array([[0.0, 0.0], [1.0, 0.0], [-0.5, 0.5]]), sites)

    assert index.tolist() == [1, 1, 2]
    assert distance[:2].tolist() == [1.0, 0.0]


def test_nearest_point_marks_points_without_coordinates() -> None:
    index, distance = nearest_point(np.array([[np.nan, 0.0], [0.0, np.nan], [3.0, 4.0]]), np.array([[0.0, 0.0]]))

    assert index.tolist() == [-1, -1, 0]
    np.testing.assert_array_equal(distance, [np.nan, np.nan, 5.0])


def test_nearest_point_takes_no_points() -> None:
    index, distance = nearest_point(np.empty((0, 2)), np.array([[0.0, 0.0]]))

    assert (len(index), len(distance)) == (0, 0)


@pytest.mark.parametrize("sites", [np.empty((0, 2)), np.array([[0.0, np.nan]])])
def test_nearest_point_refuses_sites_without_coordinates(sites: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least one site"):
        nearest_point(np.zeros((1, 2)), sites)
