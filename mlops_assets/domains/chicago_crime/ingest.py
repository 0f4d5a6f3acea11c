"""Downloading Chicago's tables: portal client in, validated frames out. What cannot be stored raises before anything is replaced."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.domains.chicago_crime.schema import validate_raw, validate_stations
from mlops_assets.domains.chicago_crime.spec import CADENCE, CHICAGO_CRIME, CRIMES_DATASET, STATIONS_DATASET
from mlops_assets.domains.chicago_crime.transforms import CRIME_COLUMNS, STATION_COLUMNS, raw_crimes_frame, raw_stations_frame
from mlops_assets.ml.validation import ValidationError
from mlops_assets.partitions import month_before, window_of
from mlops_assets.resources.socrata import SocrataClient, UpstreamState
from mlops_assets.resources.upstream import UpstreamError

KEPT = "The stored partition stays as it was."
ADAPT = "Run this again when the portal has corrected it; if the portal means it, adapt chicago_crime's transforms and schema."


def month_states(client: SocrataClient, months: Sequence[str]) -> dict[str, UpstreamState]:
    """What the portal announces for consecutive months; Failure if it gives no usable answer."""
    with one_clear_failure(CRIMES_DATASET):
        return client.month_states(CRIMES_DATASET, months[0], months[-1])


def download_crimes(client: SocrataClient, month: str, announced: UpstreamState, stored: UpstreamState | None) -> pd.DataFrame:
    """One month of raw crimes, exactly the rows announced; Failure, with counts, for anything else.

    A month without rows is valid unless it is `stored` with some: a portal that loses a month is more likely than a month without crime.
    """
    subject = f"{CRIMES_DATASET} (month {month})"
    if stored and stored.rows and not announced.rows:
        raise dg.Failure(
            f"{subject}: the portal announces 0 rows, but {stored.rows} are stored. {KEPT} "
            f"If the portal is right, delete {CHICAGO_CRIME.name}/raw_crimes/{month}.parquet from the lake and run this again.",
            metadata={"announced_rows": 0, "stored_rows": stored.rows},
            allow_retries=False,
        )
    with one_clear_failure(subject):
        frame = raw_crimes_frame(client.month_pages(CRIMES_DATASET, month, CRIME_COLUMNS, expected=announced.rows))
        validate_raw(frame, month)
    return frame


class StationsDownload:
    """The stations' table, fetched when it is first asked for and kept for the other months of the run."""

    def __init__(self, client: SocrataClient) -> None:
        self._client = client

    @cached_property
    def state(self) -> UpstreamState:
        """What the portal announces; Failure if it gives no usable answer."""
        with one_clear_failure(STATIONS_DATASET):
            return self._client.table_state(STATIONS_DATASET)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Raw police stations, exactly the rows announced; errors as `download_crimes`."""
        if not self.state.rows:
            raise dg.Failure(
                f"{STATIONS_DATASET}: the portal announces 0 police stations. {KEPT} Run this again later.", allow_retries=False
            )
        with one_clear_failure(STATIONS_DATASET):
            frame = raw_stations_frame(self._client.rows(STATIONS_DATASET, STATION_COLUMNS, expected=self.state.rows))
            validate_stations(frame)
        return frame


@contextmanager
def one_clear_failure(subject: str) -> Iterator[None]:
    """What the portal did wrong as a failed step whose message is that, with the counts as metadata; the stored partition stays.

    `subject` (dataset, month) stands before errors that do not know it.
    """
    try:
        yield
    except UpstreamError as error:
        raise dg.Failure(f"{error} {KEPT}", allow_retries=False) from None
    except ValidationError as error:
        counts = {f"{failure.column}: {failure.check}": failure.count for failure in error.failures}
        raise dg.Failure(f"{subject}: {error}. {KEPT} {ADAPT}", metadata={"rows": error.rows, **counts}, allow_retries=False) from None
    except ValueError as error:
        raise dg.Failure(f"{subject}: {error}. {KEPT} {ADAPT}", allow_retries=False) from None


def partitions_to_ingest(resources: Mapping[str, Any], last: str | None) -> list[str]:
    """The months that training of `last` reads; None: of the newest month that the portal has whole.

    UpstreamError if it does not answer, ValueError if there is no such month.
    """
    if last is None:
        with resources["socrata"].client() as client:
            newest = client.newest(CRIMES_DATASET, "date")
        last = month_before(date.fromisoformat(newest[:10]) + timedelta(days=1))
    return window_of(CADENCE, last)
