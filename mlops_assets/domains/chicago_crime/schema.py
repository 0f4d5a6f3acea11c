"""What a raw or enriched Chicago frame must look like before it may replace a stored one, and how much dirt is tolerated.

Structural faults are errors: a column missing, renamed (all null) or of another type, rows of another month, too many unusable rows.
A few unusable rows are normal: they are counted and set aside. Parsing belongs to `transforms`.
"""

from dataclasses import dataclass

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

TOLERATED_SHARE = 0.05
"""Largest share of a month's rows that may be set aside for one reason."""
FARTHEST_STATION_M = 50_000.0
"""Chicago is 42 km long."""
EXAMPLES = 3
CHECK_WORDS = {
    "column_in_dataframe": "missing column",
    "column_in_schema": "unknown column",
    "field_uniqueness": "not unique",
    "not_nullable": "missing value",
}
"""Pandera's names of its own checks, in plain words."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One check that rows do not pass: how many, and a few values that show it."""

    column: str
    check: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        """As in error texts."""
        examples = f", e.g. {', '.join(self.examples)}" if self.examples else ""
        return f"{self.column}: {self.check} ({self.count} rows{examples})"


@dataclass(frozen=True, slots=True)
class Validation:
    """An acceptable frame: its rows, and the failures of rows that are to be set aside."""

    rows: int
    failures: tuple[Failure, ...] = ()

    @property
    def set_aside(self) -> int:
        """Rows that cannot be used."""
        return sum(failure.count for failure in self.failures)


class ValidationError(ValueError):
    """The frame must not be stored; the text names columns, checks and counts, `failures` holds them."""

    def __init__(self, subject: str, rows: int, failures: tuple[Failure, ...]) -> None:
        """`subject` names the frame."""
        super().__init__(f"{subject} ({rows} rows) cannot be accepted: {'; '.join(map(str, failures))}")
        self.rows = rows
        self.failures = failures


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
    _raise_if_any(subject, frame, _schema_failures(RAW_CRIMES, frame))
    reasons = reject_reasons(frame)
    dirt = [_failure(column, reason, frame.loc[_holds(reasons == reason), column]) for reason, column in REASON_COLUMNS.items()]
    elsewhere = _failure("date", f"outside {month}", frame.loc[_is_outside(frame["date"], month), "date"])
    faults = [elsewhere] if elsewhere.count else []
    faults += [failure for failure in dirt if failure.count > TOLERATED_SHARE * len(frame)]
    _raise_if_any(subject, frame, tuple(faults))
    return Validation(len(frame), tuple(failure for failure in dirt if failure.count))


def validate_stations(frame: pd.DataFrame) -> Validation:
    """The raw police stations; ValidationError for any fault."""
    return _validate(RAW_STATIONS, frame)


def validate_enriched(frame: pd.DataFrame) -> Validation:
    """Enriched crimes; ValidationError for any fault: what cannot be used was set aside before."""
    return _validate(ENRICHED, frame)


def _validate(schema: pandera.DataFrameSchema, frame: pd.DataFrame) -> Validation:
    _raise_if_any(str(schema.name), frame, _schema_failures(schema, frame))
    return Validation(len(frame))


def _raise_if_any(subject: str, frame: pd.DataFrame, failures: tuple[Failure, ...]) -> None:
    if failures:
        raise ValidationError(subject, len(frame), failures)


def _schema_failures(schema: pandera.DataFrameSchema, frame: pd.DataFrame) -> tuple[Failure, ...]:
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return ()
    # Faults of the table itself (a column missing or unknown) carry the column's name as the failing value.
    of_table = cases["schema_context"] != "Column"
    table_faults = [
        Failure(str(name), CHECK_WORDS.get(check, check), len(frame), ())
        for name, check in cases.loc[of_table, ["failure_case", "check"]].itertuples(index=False)
    ]
    groups = cases[~of_table].groupby(["column", "check"], sort=False)["failure_case"]
    return (*table_faults, *(_failure(str(column), CHECK_WORDS.get(check, check), values) for (column, check), values in groups))


def _failure(column: str, check: str, values: pd.Series) -> Failure:
    return Failure(column, check, len(values), tuple(str(value) for value in values.drop_duplicates().head(EXAMPLES)))


def _is_outside(dates: pd.Series, month: str) -> pd.Series:
    """Whether a date stands in another month; what is no date at all is another failure."""
    return _holds(dates.str.match(r"\d{4}-\d{2}") & ~dates.str.startswith(month))


def _holds(condition: pd.Series) -> pd.Series:
    """A condition on nullable values as plain bool; NA does not hold."""
    return condition.fillna(False).astype(bool)
