"""All parts examined side by side, with one deadline for all of them; and the refusal to start on what was found."""

import os
import threading
import time
from collections.abc import Iterable, Sequence
from importlib import import_module

from mlops_assets.doctor.problem import Finding, Part, Problem, UnsoundError, text_of
from mlops_assets.doctor.secrets import Censor
from mlops_assets.doctor.settings import unasked
from mlops_assets.settings import Settings

DEADLINE_SECONDS = 30.0
"""Each part waits for less; a name server that does not answer has a patience of its own."""
MODULES = {
    Part.SETTINGS: "settings",
    Part.DISK: "disk",
    Part.LAKE: "lake",
    Part.COMPUTE_LOGS: "compute_logs",
    Part.WAREHOUSE: "warehouse",
    Part.MLFLOW: "mlflow",
    Part.DAGSTER: "dagster",
    Part.API_KEYS: "api_keys",
    Part.UPSTREAMS: "upstreams",
}


def examine(settings: Settings, parts: Iterable[Part], *, thorough: bool = True) -> list[Finding]:
    """What each part is like, in their order, without a secret in any text. It raises nothing for what it finds."""
    hopeless = unasked(settings, os.environ)  # the settings' own problem
    asked = [part for part in parts if part not in hopeless]
    found: dict[Part, list[Finding]] = {}
    threads = [threading.Thread(target=_examine, args=(settings, part, thorough, found), daemon=True) for part in asked]
    deadline = time.monotonic() + DEADLINE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    censor = Censor(settings, os.environ)
    return [censor.finding(finding) for part in asked for finding in found.get(part, [_silent(part)])]


def problems_of(findings: Iterable[Finding]) -> list[Problem]:
    """All of them in one list."""
    return [problem for finding in findings for problem in finding.problems]


def require_sound(settings: Settings, parts: Sequence[Part], *, lasting_only: bool = False) -> None:
    """UnsoundError if a part has a problem; of `lasting_only`, one that does not pass by itself."""
    problems = [found for found in problems_of(examine(settings, parts, thorough=False)) if not (lasting_only and found.heals)]
    if problems:
        raise UnsoundError(text_of(problems))


def _examine(settings: Settings, part: Part, thorough: bool, found: dict[Part, list[Finding]]) -> None:
    try:
        found[part] = import_module(f"mlops_assets.doctor.{MODULES[part]}").examine(settings, thorough)
    except Exception as error:  # whatever a driver raises is one part's problem, and no reason to keep the others'
        what = f"it could not be examined: {type(error).__name__}: {' '.join(str(error).split())}"
        found[part] = [Finding(part, "", "", (Problem(part, what, "correct its settings, which docs/settings.md explains"),))]


def _silent(part: Part) -> Finding:
    what = f"nothing answered within {DEADLINE_SECONDS:g} s"
    return Finding(part, "", "", (Problem(part, what, "look at the names and the network between here and there", heals=True),))
