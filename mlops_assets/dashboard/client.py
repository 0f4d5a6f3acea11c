"""The prediction API over HTTP, and what can go wrong with it as typed errors. No Streamlit, no cache."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import requests
from pydantic import TypeAdapter, ValidationError

from mlops_assets.dashboard.answers import Accuracy, Answer, Forecast, History, ModelDetail, Models, Predictions, Refusal, Sample, Versions

CONNECT_SECONDS = 3.0
READ_SECONDS = 15.0
PREDICT_SECONDS = 120.0
REFUSALS = TypeAdapter(list[Refusal])
MOMENT = TypeAdapter(datetime)

AnswerT = TypeVar("AnswerT", bound=Answer)
Record = Mapping[str, Any]


class ApiError(Exception):
    """The API gave no usable answer; the message is for people."""


class ApiUnreachableError(ApiError):
    """Nobody answers at the address, or not in time."""


class ApiKeyRefusedError(ApiError):
    """The API asks for a key, or refuses the one sent."""


class NotReadyError(ApiError):
    """The API works but has no champion, or no data, for this system yet."""


class FrozenFeedError(ApiError):
    """Nothing is forecast, because the upstream has repeated itself since the hour `since`."""

    def __init__(self, message: str, since: datetime) -> None:
        super().__init__(message)
        self.since = since


class TooLargeError(ApiError):
    """The request has more records or bytes than the API takes."""


class UnexpectedAnswerError(ApiError):
    """An answer that is not the prediction API's: another server, another release, or a fault of its own."""


class RecordsRefusedError(ApiError):
    """Records that the model cannot take; `refusals` say which and why."""

    def __init__(self, message: str, refusals: Sequence[Refusal]) -> None:
        super().__init__(message)
        self.refusals = tuple(refusals)


@dataclass(frozen=True, slots=True)
class Api:
    """The prediction API at an address such as `http://127.0.0.1:8000`. All methods raise ApiError."""

    address: str
    key: str = field(default="", repr=False)

    def models(self) -> Models:
        """Every system."""
        return self._get("/models", Models)

    def model(self, name: str) -> ModelDetail:
        """One system in full."""
        return self._get(f"/models/{quote(name, safe='')}", ModelDetail)

    def versions(self, name: str) -> Versions:
        """The system's registered versions, newest first."""
        return self._get(f"/models/{quote(name, safe='')}/versions", Versions)

    def sample(self, name: str, rows: int) -> Sample:
        """At most `rows` of the system's observations."""
        return self._get(f"/models/{quote(name, safe='')}/data?rows={rows}", Sample)

    def predict(self, name: str, records: Sequence[Record]) -> Predictions:
        """Predictions for raw records, in their order; RecordsRefusedError names the ones that the model cannot take."""
        body = {"records": [dict(record) for record in records]}
        answer = self._call("POST", f"/models/{quote(name, safe='')}/predict", Predictions, PREDICT_SECONDS, body)
        if not len(answer.predictions) == len(answer.probabilities) == len(records):
            raise UnexpectedAnswerError(f"{len(records)} records were sent, {len(answer.predictions)} predictions came back.")
        return answer

    def forecast(self, name: str, id_column: str, series: str | None, horizon: int) -> Forecast:
        """The next `horizon` hours of one series, None: of the total. FrozenFeedError if its upstream stands still."""
        body = {"horizon": horizon, id_column: series}
        return self._call("POST", f"/models/{quote(name, safe='')}/forecast", Forecast, PREDICT_SECONDS, body)

    def history(self, name: str, id_column: str, hours: int) -> History:
        """Every series in the last `hours` hours."""
        path = f"/models/{quote(name, safe='')}/history?hours={hours}"
        return self._call("GET", path, History, READ_SECONDS, context={"id_column": id_column})

    def accuracy(self, name: str, id_column: str, series: str | None, days: int) -> Accuracy:
        """How good the forecasts of one series for the last `days` days were; None: of the total."""
        query = urlencode({"days": days, id_column: series or ""})
        return self._get(f"/models/{quote(name, safe='')}/accuracy?{query}", Accuracy)

    def _get(self, path: str, shape: type[AnswerT]) -> AnswerT:
        return self._call("GET", path, shape, READ_SECONDS)

    def _call(self, method: str, path: str, shape: type[AnswerT], seconds: float, body: Any = None, context: Any = None) -> AnswerT:
        headers = {"X-API-Key": self.key} if self.key else {}
        try:
            response = requests.request(
                method,
                self.address.rstrip("/") + path,
                json=body,
                headers=headers,
                timeout=(CONNECT_SECONDS, seconds),
                allow_redirects=False,
            )
        except (requests.ConnectionError, requests.Timeout):
            raise ApiUnreachableError(f"Nobody answers at {self.address}.") from None
        except (requests.RequestException, UnicodeError, ValueError) as error:
            raise UnexpectedAnswerError(f"{self.address} cannot be asked: {error}") from None
        if response.status_code != requests.codes.ok:
            raise _error(response)
        try:
            return shape.model_validate_json(response.content, context=context)
        except ValidationError as error:
            raise UnexpectedAnswerError(f"{path} of {self.address} does not answer as the prediction API does: {_first(error)}") from None


def address_problem(address: str) -> str:
    """Why it cannot be the API's address; empty if it can."""
    try:
        parts = urlsplit(address)
        port_is_a_number = parts.port != 0
    except ValueError:
        return "That is no address."
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_a_number:
        return "An address begins with http:// or https:// and a host."
    return ""


def _error(response: requests.Response) -> ApiError:
    detail, refusals = _reasons(response)
    match response.status_code:
        case 503 if since := _frozen_since(response):
            return FrozenFeedError(detail, since)
        case 401 | 403:
            return ApiKeyRefusedError(detail)
        case 404 | 503:
            return NotReadyError(detail)
        case 413:
            return TooLargeError(detail)
        case 422 if any(refusal.record is not None for refusal in refusals):
            return RecordsRefusedError(detail, refusals)
        case _:
            return UnexpectedAnswerError(f"The API answered {response.status_code}: {detail}")


def _reasons(response: requests.Response) -> tuple[str, list[Refusal]]:
    try:
        body = response.json()
        detail, errors = body["detail"], body.get("errors") or []
    except (requests.JSONDecodeError, KeyError, TypeError, AttributeError):
        return response.reason or "no reason given", []
    try:
        return str(detail), REFUSALS.validate_python(errors)
    except ValidationError:
        return str(detail), []


def _frozen_since(response: requests.Response) -> datetime | None:
    try:
        return MOMENT.validate_python(response.json()["since"])
    except (requests.JSONDecodeError, KeyError, TypeError, ValidationError):
        return None


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc']) or 'the body'}: {problem['msg']}"
