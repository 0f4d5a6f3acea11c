"""What the OpenAPI of every route is made of: refusals, keys, and the pieces of answers."""

from typing import Any

from mlops_assets.serving.auth import HEADER

Schema = dict[str, Any]

SECURITY: dict[str, Any] = {"openapi_extra": {"security": [{"apiKey": []}, {"bearer": []}]}}
"""For routes that may need a key: the page of the documentation then sends the one it was given."""
SECURITY_SCHEMES = {
    "apiKey": {"type": "apiKey", "in": "header", "name": HEADER},
    "bearer": {"type": "http", "scheme": "bearer"},
}
ERROR = {"$ref": "#/components/schemas/Error"}
ERROR_SCHEMA: Schema = {
    "title": "Error",
    "description": "Why a request was refused; `errors` holds the first hundred problems, `total` counts all.",
    "type": "object",
    "required": ["detail", "errors", "total"],
    "properties": {
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["message"],
                "properties": {
                    "message": {"type": "string"},
                    "record": {"type": ["integer", "null"]},
                    "field": {"type": ["string", "null"]},
                },
            },
        },
        "total": {"type": "integer"},
        "since": {"type": "string", "format": "date-time", "description": "Only of a feed that stands still: since when."},
    },
}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
REASONS = {
    401: "An API key is needed.",
    403: "Closed: no API key is configured.",
    404: "There is no such model, or it does something else.",
    413: "The body is too large.",
    415: "The body is no plain JSON.",
    422: "Something in the request cannot be used; record and field are named.",
    503: "It cannot be answered now; the reason is named.",
}


def error_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, as OpenAPI describes them."""
    return {status: {"description": REASONS[status], "content": {"application/json": {"schema": ERROR}}} for status in statuses}


def answer_of(**properties: Schema) -> Schema:
    """An object that has all of these and nothing else."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
