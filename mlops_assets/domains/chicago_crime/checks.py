"""Checks on Chicago's raw and enriched months: the contract that was held before storing, shown and held again after it."""

from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.factories.checks import Finding, accepted, partition_check

if TYPE_CHECKING:
    from pandas import DataFrame as Frame
else:
    Frame = Any


def raw_crimes_match(frame: Frame, month: str) -> Finding:
    """Columns, types, dates and the share of unusable rows."""
    from mlops_assets.domains.chicago_crime.schema import validate_raw

    return accepted(frame, lambda crimes: validate_raw(crimes, month))


def has_crimes(frame: Frame, month: str) -> Finding:  # noqa: ARG001  # every check is asked about a partition
    """At least one row."""
    return Finding(len(frame) > 0, len(frame), text=f"{len(frame)} crimes")


def stations_match(frame: Frame, month: str) -> Finding:  # noqa: ARG001
    """Columns, types and unique districts."""
    from mlops_assets.domains.chicago_crime.schema import validate_stations

    return accepted(frame, validate_stations)


def enriched_match(frame: Frame, month: str) -> Finding:  # noqa: ARG001
    """Columns, types and ranges of the derived columns."""
    from mlops_assets.domains.chicago_crime.schema import validate_enriched

    return accepted(frame, validate_enriched)


def ids_are_unique(frame: Frame, month: str) -> Finding:  # noqa: ARG001
    """No record twice."""
    duplicates = int(frame["id"].duplicated().sum())
    return Finding(duplicates == 0, len(frame), {"id: duplicate": duplicates})


_check = partial(
    partition_check,
    CHICAGO_CRIME,
    code=[f"mlops_assets.domains.chicago_crime.{module}" for module in ("checks", "schema", "transforms")],
)

CHECKS: list[dg.AssetChecksDefinition] = [
    _check(
        "raw_crimes",
        "crimes_match_the_schema",
        "The portal's columns with its types, rows of this month only, and at most 5 % of them unusable for one reason.",
        raw_crimes_match,
    ),
    _check(
        "raw_crimes",
        "months_have_crimes",
        "The portal has crimes of the month; an empty month is stored, and may mean that the portal does not have it yet.",
        has_crimes,
        blocking=False,
    ),
    _check("raw_police_stations", "stations_match_the_schema", "The portal's columns; each district once.", stations_match),
    _check(
        "enriched",
        "enriched_crimes_match_the_schema",
        "Season, day, time and nearest station are there and in range; coordinates lie in Chicago.",
        enriched_match,
    ),
    _check("enriched", "crimes_have_unique_ids", "Each record stands once in its month.", ids_are_unique),
]
