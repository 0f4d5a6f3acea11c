"""Reading the body of a request: its size is limited while it arrives, whatever its headers promise."""

from starlette.requests import ClientDisconnect, Request

from mlops_assets.serving.errors import ApiError

GONE = 499
"""The client hung up before its request was whole; nobody reads this answer."""


async def read_json_body(request: Request, limit: int) -> bytes:
    """The body's bytes. ApiError: 415 if its headers say that it is no plain JSON, 413 beyond `limit` bytes, 499 if the client is gone."""
    for name, value in request.scope["headers"]:  # one pass over the bytes: a look-up by name costs as much as reading the body
        if name == b"content-type" and not _is_json(value):
            raise ApiError(415, f"the body's content type is {_text(value)}: send JSON with content-type: application/json")
        if name == b"content-encoding" and value.lower() != b"identity":
            raise ApiError(415, f"the body's content encoding is {_text(value)}: send it uncompressed")
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
    except ClientDisconnect:
        raise ApiError(GONE, "the client closed the connection") from None
    return b"".join(chunks)


def _is_json(content_type: bytes) -> bool:
    media_type = content_type.partition(b";")[0].strip().lower()
    return media_type == b"application/json" or media_type.endswith(b"+json")


def _text(header: bytes) -> str:
    return repr(header.decode("latin-1"))


def _too_large(limit: int) -> ApiError:
    # What is left of the body is not read, so the connection cannot be used again.
    return ApiError(
        413, f"the body is larger than {limit} bytes (MLOPS_API_MAX_BODY_BYTES): send fewer records", headers={"connection": "close"}
    )
