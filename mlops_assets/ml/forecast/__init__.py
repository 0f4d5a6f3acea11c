"""Forecasts of hourly series: the grid they stand on, the methods, the rolling back-test, the intervals and the model that joins them.

Nothing is imported here: `model` is the door, and whoever needs it imports it.
"""
