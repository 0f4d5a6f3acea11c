"""The keys of the prediction API."""

from mlops_assets.doctor.problem import Finding, Part, Problem
from mlops_assets.settings import Settings

LEAST_CHARACTERS = 16


def examine(settings: Settings, thorough: bool) -> list[Finding]:  # noqa: ARG001  # it is cheap
    """That none can be guessed; having none is allowed on loopback, which `mlops-assets serve` sees to."""
    keys = settings.api_keys
    short = [number for number, key in enumerate(keys, 1) if len(key) < LEAST_CHARACTERS]
    problems: tuple[Problem, ...] = ()
    if short:
        what = f"MLOPS_API_KEYS: of {len(keys)} keys, number {', '.join(map(str, short))} has less than {LEAST_CHARACTERS} characters"
        problems = (Problem(Part.API_KEYS, what, "put in keys that nobody guesses: `openssl rand -hex 24` makes one"),)
    return [Finding(Part.API_KEYS, f"{len(keys)} set" if keys else "none: open on loopback only", "", problems)]
