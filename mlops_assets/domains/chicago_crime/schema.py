"""What a raw or enriched Chicago frame must look like before it may replace a stored one, and how much dirt is tolerated.

Structural faults are errors: a column missing, renamed (all null) or of another type, rows of another month, too many unusable rows.
A few unusable rows are normal: they are counted and set aside. Parsing belongs to `transforms`.
"""

import pandas as pd
import pandera.pandas as pandera

from mlops_assets.domains.chicago_crime.spec import DAY_TIMES, SEASONS
from mlops_assets.domains.chicago_crime.transforms import (
    CRIME_COLUMNS,
    FLAG,
    FLAGS,
    REASON_COLUMNS,
    STATION_COLUMNS,
    TEXT,
    X_FEET,
    Y_FEET,
    reject_reasons,
)
from mlops_assets.ml.validation import Validation, failure, raise_if_any, schema_failures, validate

TOLERATED_SHARE = 0.05
"""Largest share of a month's rows that may be set aside for one reason."""
FARTHEST_STATION_M = 50_000.0
"""Chicago is 42 km long."""


def _or_all_null(column: pd.Series) -> pd.Series:
    present = column.notna()
    return present | bool(present.any())


HAS_VALUES = pandera.Check(_or_all_null, name="entirely null", ignore_na=False)
"""A column that the portal renames or stops to fill comes without any value."""


def _raw_columns(names: tuple[str, ...]) -> dict[str, pandera.Column]:
    return {name: pandera.Column(FLAG if name in FLAGS else TEXT, HAS_VALUES, nullable=True) for name in names}


def _derived(dtype: object, *checks: pandera.Check, nullable: bool = False) -> pandera.Column:
    return pandera.Column(dtype, list(checks), nullable=nullable)


RAW_CRIMES = pandera.DataFrameSchema(_raw_columns(CRIME_COLUMNS), strict=True, name="raw crimes")

RAW_STATIONS = pandera.DataFrameSchema(
    _raw_columns(STATION_COLUMNS) | {"district": pandera.Column(TEXT, HAS_VALUES, unique=True)}, strict=True, name="police stations"
)

ENRICHED = pandera.DataFrameSchema(
    {
        **{name: pandera.Column(FLAG if name in FLAGS else TEXT, nullable=True) for name in CRIME_COLUMNS},
        "id": pandera.Column(TEXT, unique=True),
        "arrest": _derived(bool),
        "occurred_at": _derived("datetime64[us]"),
        "x_ft": _derived(float, pandera.Check.in_range(*X_FEET), nullable=True),
        "y_ft": _derived(float, pandera.Check.in_range(*Y_FEET), nullable=True),
        "nearest_station": _derived(TEXT, nullable=True),
        "station_distance_m": _derived(float, pandera.Check.in_range(0.0, FARTHEST_STATION_M), nullable=True),
        "season": _derived(TEXT, pandera.Check.isin(SEASONS)),
        "day_time": _derived(TEXT, pandera.Check.isin(DAY_TIMES)),
        "day_of_week": _derived("int64", pandera.Check.in_range(0, 6)),
        "hour": _derived("int64", pandera.Check.in_range(0, 23)),
        "minute": _derived("int64", pandera.Check.in_range(0, 59)),
    },
    strict=True,
    name="enriched crimes",
)


def validate_raw(frame: pd.DataFrame, month: str) -> Validation:
    """The raw crimes of `month` (`YYYY-MM`): what has to be set aside, by reason; ValidationError for structural faults.

    An empty frame is acceptable: whether the month should have rows is for the caller to know.
    """
    subject = f"{RAW_CRIMES.name} of {month}"
    raise_if_any(subject, frame, schema_failures(RAW_CRIMES, frame))
    reasons = reject_reasons(frame)
    dirt = [failure(column, reason, frame.loc[_holds(reasons == reason), column]) for reason, column in REASON_COLUMNS.items()]
    elsewhere = failure("date", f"outside {month}", frame.loc[_is_outside(frame["date"], month), "date"])
    faults = [elsewhere] if elsewhere.count else []
    faults += [found for found in dirt if found.count > TOLERATED_SHARE * len(frame)]
    raise_if_any(subject, frame, tuple(faults))
    return Validation(len(frame), tuple(found for found in dirt if found.count))


def validate_stations(frame: pd.DataFrame) -> Validation:
    """The raw police stations; ValidationError for any fault."""
    return validate(RAW_STATIONS, frame)


def validate_enriched(frame: pd.DataFrame) -> Validation:
    """Enriched crimes; ValidationError for any fault: what cannot be used was set aside before."""
    return validate(ENRICHED, frame)


def _is_outside(dates: pd.Series, month: str) -> pd.Series:
    """Whether a date stands in another month; what is no date at all is another failure."""
    return _holds(dates.str.match(r"\d{4}-\d{2}") & ~dates.str.startswith(month))


def _holds(condition: pd.Series) -> pd.Series:
    """A condition on nullable values as plain bool; NA does not hold."""
    return condition.fillna(False).astype(bool)
