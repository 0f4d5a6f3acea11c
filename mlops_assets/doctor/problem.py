"""What an examination says: findings of parts, their problems with remedies, and how people read them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """The parts of the platform that can be examined."""

    SETTINGS = "settings"
    DISK = "disk"
    LAKE = "lake"
    COMPUTE_LOGS = "compute logs"
    WAREHOUSE = "warehouse"
    MLFLOW = "MLflow"
    DAGSTER = "Dagster storage"
    API_KEYS = "API keys"
    UPSTREAMS = "upstreams"


EVERY_PART = tuple(Part)
OWN_PARTS = tuple(part for part in Part if part is not Part.UPSTREAMS)
"""What the platform itself stands on."""
RUN_PARTS = (Part.SETTINGS, Part.DISK, Part.LAKE, Part.COMPUTE_LOGS, Part.WAREHOUSE, Part.MLFLOW, Part.DAGSTER)
"""What a run needs."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a part, and the command or setting that ends it. No text holds a password."""

    part: str
    what: str
    remedy: str
    heals: bool = False
    """It may pass without anybody changing a setting, such as a server that does not answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One part as it was found: its address without credentials, the version of what answers there, and its problems."""

    part: str
    address: str
    version: str = ""
    problems: tuple[Problem, ...] = ()


class UnsoundError(ValueError):
    """The platform cannot work as it is; the text says every problem and its remedy."""


def text_of(problems: Iterable[Problem]) -> str:
    """Every problem with its remedy, for a terminal."""
    told = list(problems)
    head = "1 problem" if len(told) == 1 else f"{len(told)} problems"
    return "\n".join([head, *(f"  {problem.part}: {problem.what}\n    {problem.remedy}" for problem in told)])
