"""Ratios of speed and memory, ours to theirs, measured in one run: `python -m benchmarks [--data FOLDER] [--only NAME]`.

A benchmark is a module with a function `rows(platform)`. CPU time counts, user and system, of all threads and child processes: on a
busy machine it says more than the clock. Nothing here is a test, and no absolute time is promised.
"""
