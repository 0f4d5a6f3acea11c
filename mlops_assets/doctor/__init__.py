"""Finds out whether the platform can work as it is set up: each part a module, all problems at once, each with its remedy.

A module has `examine(settings, thorough)`, which gives a `Finding` for every address of its part. It asks each server a few times at
most, waits for seconds only, changes nothing but probes of its own that it removes, and imports a driver when it is needed. What is not
`thorough` is what a command can afford at each start: servers as always, of local files only that they can be written.
"""

from mlops_assets.doctor.examination import examine, problems_of, require_sound
from mlops_assets.doctor.problem import EVERY_PART, OWN_PARTS, RUN_PARTS, Finding, Part, Problem, UnsoundError, text_of

__all__ = [
    "EVERY_PART",
    "OWN_PARTS",
    "RUN_PARTS",
    "Finding",
    "Part",
    "Problem",
    "UnsoundError",
    "examine",
    "problems_of",
    "require_sound",
    "text_of",
]
