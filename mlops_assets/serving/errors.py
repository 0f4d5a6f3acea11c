"""What a refused request gets: one shape of JSON, `{"detail", "errors"}`, for every reason there is."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

logger = logging.getLogger(__name__)

JSON = "application/json"
SHOWN_ERRORS = 100
"""An answer lists so many problems and counts all."""
SHOWN_CHARACTERS = 2000
"""Of any text of an answer."""


@dataclass(frozen=True, slots=True)
class RecordError:
    """What is wrong with one field of one record (from 0); None: with the request as a whole."""

    message: str
    record: int | None = None
    field: str | None = None


class ApiError(Exception):
    """A request that cannot be answered: status, a sentence for people, and the problems one by one."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[RecordError] = (),
        *,
        total: int | None = None,
        headers: Mapping[str, str] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """The first of the `errors` are listed; `total` is how many problems there are, if not all of them are in `errors`.

        `facts` stand in the answer's JSON as they are, for programs.
        """
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.total = len(errors) if total is None else total
        self.headers = dict(headers or {})
        self.facts = dict(facts or {})

    def response(self) -> Response:
        """The answer."""
        return _response(self.status, self.detail, self.headers, self.errors, self.total, self.facts)


def handle_errors(app: FastAPI) -> None:
    """Every refusal, the framework's own among them, gets the one shape; an unforeseen error is logged and reveals nothing."""
    app.exception_handler(ApiError)(_refused)
    app.exception_handler(HTTPException)(_not_here)
    app.exception_handler(RequestValidationError)(_wrong_parameters)
    app.exception_handler(Exception)(_unforeseen)


async def _refused(_: Request, error: ApiError) -> Response:
    return error.response()


async def _not_here(request: Request, error: HTTPException) -> Response:
    where = f"{request.method} {request.url.path}"
    details = {404: f"there is no {where}; /docs lists what there is", 405: f"{where} is not possible; allowed: {_allowed(error)}"}
    return _response(error.status_code, details.get(error.status_code, str(error.detail)), dict(error.headers or {}))


async def _wrong_parameters(_: Request, error: RequestValidationError) -> Response:
    errors = [RecordError(item["msg"], field=".".join(str(part) for part in item["loc"])) for item in error.errors()]
    return _response(422, "; ".join(f"{item.field}: {item.message}" for item in errors), {}, errors, len(errors))


async def _unforeseen(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _response(500, "the server failed on this request; its log says why", {})


def _allowed(error: HTTPException) -> str:
    return (error.headers or {}).get("Allow", "nothing")


def _response(
    status: int,
    detail: str,
    headers: dict[str, str],
    errors: Sequence[RecordError] = (),
    total: int = 0,
    facts: Mapping[str, str] | None = None,
) -> Response:
    shown = [
        {"message": _shown(error.message), "record": error.record, "field": error.field and _shown(error.field)}
        for error in errors[:SHOWN_ERRORS]
    ]
    return Response(orjson.dumps({"detail": _shown(detail), "errors": shown, "total": total, **(facts or {})}), status, headers, JSON)


def _shown(text: str) -> str:
    """Shortened, and without what no UTF-8 can carry: both may come from a request."""
    return text[:SHOWN_CHARACTERS].encode(errors="replace").decode()
