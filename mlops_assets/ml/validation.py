"""Judging frames by pandera schemas before they may replace stored ones: failures with counts and examples, in plain words.

Here belongs how a failure is found and told. What a frame must look like belongs to each domain's `schema`.
"""

from dataclasses import dataclass

import pandas as pd
import pandera.pandas as pandera

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


def validate(schema: pandera.DataFrameSchema, frame: pd.DataFrame) -> Validation:
    """A frame that passes its schema; ValidationError for any fault."""
    raise_if_any(str(schema.name), frame, schema_failures(schema, frame))
    return Validation(len(frame))


def raise_if_any(subject: str, frame: pd.DataFrame, failures: tuple[Failure, ...]) -> None:
    """ValidationError about `subject` unless there are no failures."""
    if failures:
        raise ValidationError(subject, len(frame), failures)


def schema_failures(schema: pandera.DataFrameSchema, frame: pd.DataFrame) -> tuple[Failure, ...]:
    """Every check of the schema that the frame does not pass."""
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
    return (*table_faults, *(failure(str(column), CHECK_WORDS.get(check, check), values) for (column, check), values in groups))


def failure(column: str, check: str, values: pd.Series) -> Failure:
    """The failure that these values of a column show."""
    return Failure(column, check, len(values), tuple(str(value) for value in values.drop_duplicates().head(EXAMPLES)))
