"""Client of a Socrata open-data portal (SODA 2) and the Dagster resource that makes one.

Here belong queries, paging and what the portal's failures mean. What the rows mean belongs to the domains.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from mlops_assets.resources.upstream import AttemptError, UpstreamError, ask, cause_of, http_address, retry_after_seconds
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from requests import Response

Page = list[dict[str, Any]]

PASSING_STATUSES = frozenset({202, 408, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone at the next attempt; 202 is Socrata's "still working on it"."""

CHECK_ADDRESS = "Check SOCRATA_URL: something other than the portal (a proxy, a login page) may answer there."
CHECK_NETWORK = "Check SOCRATA_URL and the network; for slow answers raise SOCRATA_TIMEOUT_SECONDS or lower SOCRATA_PAGE_ROWS."
RUN_LATER = "The portal is in trouble: run this again later."


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """How many rows a dataset, or one month of it, has now and when the newest change came (`:updated_at`, UTC; "" without rows)."""

    rows: int
    updated_at: str


class SocrataClient:
    """Reads datasets of one portal over `sodapy`; every request is retried by itself. Close it after use."""

    def __init__(
        self,
        url: str,
        app_token: str | None = None,
        *,
        page_rows: int = 50_000,
        timeout_seconds: float = 60.0,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect to nothing yet. ValueError for a URL or a token that no request can carry; its text holds no credential."""
        from sodapy import Socrata

        parts = http_address("SOCRATA_URL", url)
        token = (app_token or "").strip()
        if not re.fullmatch(r"[!-~]*", token):
            raise ValueError("SOCRATA_APP_TOKEN holds characters that an HTTP header cannot carry")
        self._host = parts.netloc
        self._token = token
        self._page_rows = page_rows
        self._attempts = attempts
        self._sleep = sleep
        self._socrata = Socrata(parts.netloc + parts.path.rstrip("/"), token or "none", timeout=timeout_seconds)
        if not token:
            # Without a token sodapy logs through the root logger, which would configure logging for the whole process.
            del self._socrata.session.headers["X-App-token"]
        self._socrata.uri_prefix = f"{parts.scheme}://"
        self._socrata.session.hooks["response"] = [self._refuse_failures]

    def close(self) -> None:
        """Close the connections."""
        self._socrata.close()

    def month_states(self, dataset: str, first: str, last: str, time_column: str = "date") -> dict[str, UpstreamState]:
        """State of every month from `first` to `last` (`YYYY-MM`, both included) by one grouped query; no rows: `UpstreamState(0, "")`."""
        months = [_month(ordinal) for ordinal in range(_ordinal(first), _ordinal(last) + 1)]
        answer = self._get(
            dataset,
            f"months {first} to {last}",
            select=f"date_trunc_ym({time_column}) as month, count(*) as rows, max(:updated_at) as updated_at",
            where=_between(time_column, first, last),
            group="month",
            order="month",
            limit=len(months),
        )
        found = {str(row.get("month"))[:7]: self._state(dataset, row) for row in answer}
        return {month: found.get(month, UpstreamState(0, "")) for month in months}

    def table_state(self, dataset: str) -> UpstreamState:
        """State of the whole dataset."""
        answer = self._get(dataset, "the whole table", select="count(*) as rows, max(:updated_at) as updated_at", limit=1)
        return self._state(dataset, answer[0] if answer else {})

    def newest(self, dataset: str, column: str) -> str:
        """The greatest value of a column, as the portal sends it. UpstreamError for a dataset without rows."""
        answer = self._get(dataset, f"the newest {column}", select=f"max({column}) as newest", limit=1)
        if not answer or "newest" not in answer[0]:
            raise UpstreamError(f"{dataset} from {self._host}: no row has a {column}. {CHECK_ADDRESS}")
        return str(answer[0]["newest"])

    def month_pages(
        self, dataset: str, month: str, select: Sequence[str], *, time_column: str = "date", expected: int | None = None
    ) -> Iterator[Page]:
        """Pages of the rows whose `time_column` lies in `month` (`YYYY-MM`); otherwise as `rows`."""
        return self.rows(dataset, select, _between(time_column, month, month), subject=f"month {month}", expected=expected)

    def rows(
        self,
        dataset: str,
        select: Sequence[str],
        where: str | None = None,
        *,
        subject: str = "the whole table",
        expected: int | None = None,
    ) -> Iterator[Page]:
        """Pages of rows as the portal sends them, in the order of `:id`; a null is an absent key. No rows: no page.

        `subject` is what errors call the slice. `expected` is the row count announced before: any other total is an `UpstreamError`.
        """
        offset = 0
        while True:
            page = self._get(
                dataset,
                f"{subject}, rows from {offset}",
                select=",".join(select),
                where=where,
                order=":id",
                limit=self._page_rows,
                offset=offset,
            )
            offset += len(page)
            if page:
                yield page
            if len(page) < self._page_rows:
                break
        if expected is not None and offset != expected:
            raise UpstreamError(
                f"{dataset} ({subject}) from {self._host}: {offset} rows came, {expected} were announced. "
                "The dataset changed while it was read, or the portal caps pages below SOCRATA_PAGE_ROWS: run this again."
            )

    def _get(self, dataset: str, subject: str, **soql: Any) -> Page:
        return ask(
            lambda: self._request(dataset, **soql),
            subject=f"{dataset} ({subject}) from {self._host}",
            attempts=self._attempts,
            sleep=self._sleep,
        )

    def _request(self, dataset: str, **soql: Any) -> Page:
        import requests

        try:
            answer = self._socrata.get(dataset, **soql)
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError, requests.JSONDecodeError) as error:
            raise self._failure(f"the body is cut short or not JSON ({cause_of(error)})", RUN_LATER, passing=True) from None
        except (requests.ConnectionError, requests.Timeout) as error:
            raise self._failure(cause_of(error), CHECK_NETWORK, passing=True) from None
        except requests.RequestException as error:
            raise self._failure(cause_of(error), CHECK_ADDRESS) from None
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise self._failure("the answer is not a list of rows", CHECK_ADDRESS, passing=True)
        return answer

    def _refuse_failures(self, response: "Response", **_: Any) -> None:
        """Response hook: stands before requests and sodapy, which would follow redirects with the token and lose status and headers."""
        status = response.status_code
        media_type = response.headers.get("Content-Type", "of no declared type")
        if status == 200 and "json" in media_type:
            return
        message, column = _explanation(response)
        if status == 200:
            raise self._failure(f"the answer is {media_type.partition(';')[0]}, not JSON", CHECK_ADDRESS, passing=True)
        what = f"HTTP {status} {response.reason}" + (f" ({message})" if message else "")
        if column:
            raise self._failure(f"no column {column!r}, {what}", "The portal renamed or removed it: adapt the query.", schema=True)
        retry_after = retry_after_seconds(response.headers.get("Retry-After"))
        raise self._failure(what, self._advice(status), passing=status in PASSING_STATUSES, retry_after=retry_after)

    def _advice(self, status: int) -> str:
        match status:
            case 429 if self._token:
                return "The portal throttles this token: run fewer partitions at a time, or later."
            case 429:
                return "The portal throttles clients without a token: set SOCRATA_APP_TOKEN."
            case 401 | 403 if not self._token:
                return "The portal answers only with a token: set SOCRATA_APP_TOKEN."
            case 401 | 403:
                return "The portal refuses SOCRATA_APP_TOKEN: correct it, or unset it to read without one."
            case 404:
                return "The portal has no such dataset: check its identifier and SOCRATA_URL."
            case 400:
                return "The portal does not understand the query."
            case _ if 300 <= status < 400:
                return "Redirects are not followed, they would carry the token elsewhere: set SOCRATA_URL to the final address."
            case _:
                return RUN_LATER

    def _failure(self, what: str, advice: str, *, passing: bool = False, schema: bool = False, retry_after: float = 0.0) -> AttemptError:
        """A failure whose text does not hold the token, even when the portal repeats it."""
        public = what.replace(self._token, "***") if self._token else what
        return AttemptError(public, advice, passing=passing, schema=schema, retry_after=retry_after)

    def _state(self, dataset: str, row: dict[str, Any]) -> UpstreamState:
        try:
            return UpstreamState(int(row["rows"]), str(row.get("updated_at", "")))
        except (KeyError, TypeError, ValueError):
            raise UpstreamError(f"{dataset} from {self._host}: the answer {str(row)[:200]} holds no row count. {CHECK_ADDRESS}") from None


class SocrataResource(dg.ConfigurableResource["SocrataResource"]):
    """Makes clients of the portal that `Settings` names. The token comes from the environment only, never from resource config."""

    url: str | None = Field(default=None, description="Portal; SOCRATA_URL when unset.")
    page_rows: int | None = Field(default=None, ge=1, description="Rows a request; SOCRATA_PAGE_ROWS when unset.")
    timeout_seconds: float | None = Field(default=None, gt=0, description="Longest silence; SOCRATA_TIMEOUT_SECONDS when unset.")
    attempts: int | None = Field(default=None, ge=1, description="Tries of one request; SOCRATA_ATTEMPTS when unset.")

    @contextmanager
    def client(self) -> Iterator[SocrataClient]:
        """A client, closed at the end of the `with` block. Settings are read here, not when definitions load."""
        settings = Settings()
        token = settings.socrata_app_token
        client = SocrataClient(
            self.url or settings.socrata_url,
            token.get_secret_value() if token else None,
            page_rows=self.page_rows or settings.socrata_page_rows,
            timeout_seconds=self.timeout_seconds or settings.socrata_timeout_seconds,
            attempts=self.attempts or settings.socrata_attempts,
        )
        try:
            yield client
        finally:
            client.close()


def _explanation(response: "Response") -> tuple[str, str | None]:
    """The portal's own message and, for an unknown column, its name. Reads the body, which frees the connection."""
    try:
        body = response.json()
    except ValueError:
        return "", None
    if not isinstance(body, dict):
        return "", None
    message = str(body.get("message", ""))[:300]
    if "no-such-column" not in f"{body.get('code')} {body.get('errorCode')} {message}":
        return message, None
    data = body.get("data")
    named = data.get("column") if isinstance(data, dict) else None
    found = re.search(r"[Nn]o such column:?\s*[`'\"]?([:@\w]+)", message)
    return message, str(named or (found.group(1) if found else "?"))


def _between(column: str, first: str, last: str) -> str:
    after = _month(_ordinal(last) + 1)
    return f"{column} >= '{first}-01T00:00:00' and {column} < '{after}-01T00:00:00'"


def _ordinal(month: str) -> int:
    day = datetime.strptime(month, "%Y-%m")
    return day.year * 12 + day.month - 1


def _month(ordinal: int) -> str:
    return f"{ordinal // 12:04d}-{ordinal % 12 + 1:02d}"
