"""Who may do what: API keys, compared in constant time.

Predictions and stored data need a key as soon as keys are set; reloading always needs one. Health, metrics, documentation and what is
known of the models are open: they hold no record.
"""

import hashlib
import hmac
from collections.abc import Sequence

from starlette.requests import Request

from mlops_assets.serving.errors import ApiError

HEADER = "X-API-Key"
BEARER = "bearer "


class ApiKeys:
    """The keys that are accepted; without any, predictions are open and administration is closed."""

    def __init__(self, keys: Sequence[str]) -> None:
        # Digests have one length, so that comparing them does not tell how long a key is.
        self._digests = [_digest(key.encode()) for key in keys]

    def require_if_set(self, request: Request) -> None:
        """ApiError 401 unless the request brings one of the keys, or there are none."""
        if self._digests and not self._is_known(request):
            raise ApiError(401, f"send a valid API key in the header {HEADER}", headers={"www-authenticate": "Bearer"})

    def require(self, request: Request) -> None:
        """ApiError 403 if there are no keys, 401 unless the request brings one of them."""
        if not self._digests:
            raise ApiError(403, "this is closed, because no API key is configured: set MLOPS_API_KEYS and start the API again")
        self.require_if_set(request)

    def _is_known(self, request: Request) -> bool:
        given = request.headers.get(HEADER)
        authorization = request.headers.get("authorization", "")
        if given is None and authorization.lower().startswith(BEARER):
            given = authorization[len(BEARER) :].strip()
        if given is None:
            return False
        digest = _digest(given.encode("latin-1"))  # as the bytes came
        known = False
        for accepted in self._digests:
            known |= hmac.compare_digest(digest, accepted)
        return known


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
