"""The terrain features: columns that are derived from a cell's raw ones. Declarations only; `transforms` computes them."""

from collections.abc import Mapping

HYDROLOGY = "horizontal_distance_to_hydrology"
ROADWAYS = "horizontal_distance_to_roadways"
FIRE_POINTS = "horizontal_distance_to_fire_points"
ELEVATION = "elevation"
VERTICAL = "vertical_distance_to_hydrology"

TERRAIN: Mapping[str, Mapping[str, float]] = {
    "hydrology_plus_roadways": {HYDROLOGY: 1.0, ROADWAYS: 1.0},
    "hydrology_minus_roadways": {HYDROLOGY: 1.0, ROADWAYS: -1.0},
    "hydrology_plus_fire_points": {HYDROLOGY: 1.0, FIRE_POINTS: 1.0},
    "hydrology_minus_fire_points": {HYDROLOGY: 1.0, FIRE_POINTS: -1.0},
    "roadways_plus_fire_points": {ROADWAYS: 1.0, FIRE_POINTS: 1.0},
    "roadways_minus_fire_points": {ROADWAYS: 1.0, FIRE_POINTS: -1.0},
    "roadways_plus_half_fire_points": {ROADWAYS: 1.0, FIRE_POINTS: 0.5},
    "roadways_minus_half_fire_points": {ROADWAYS: 1.0, FIRE_POINTS: -0.5},
    "half_roadways_plus_fire_points": {ROADWAYS: 0.5, FIRE_POINTS: 1.0},
    "half_roadways_minus_fire_points": {ROADWAYS: 0.5, FIRE_POINTS: -1.0},
    "elevation_plus_vertical_distance": {ELEVATION: 1.0, VERTICAL: 1.0},
    "elevation_minus_vertical_distance": {ELEVATION: 1.0, VERTICAL: -1.0},
}
"""Derived column, in metres -> the weights of the columns whose sum it is.

A tree cuts along one column at a time; with these it can cut along slanted lines through the map of roads, fires and water, too.
`elevation_minus_vertical_distance` is the elevation of the nearest water.
"""
