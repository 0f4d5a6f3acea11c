"""Clocks: a store refuses requests that are signed by a clock far from its own."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from mlops_assets.doctor.problem import Problem

MOST_SKEW = timedelta(minutes=5)
"""S3 refuses beyond 15 minutes."""
REMEDY = "set this machine's clock: `timedatectl set-ntp true`, or `chronyc makestep`; containers have the clock of their host"


def skew(part: str, headers: Mapping[str, str]) -> list[Problem]:
    """The problem of a server whose answer, with these headers, is dated far from now."""
    try:
        server = parsedate_to_datetime(headers.get("date") or headers.get("Date") or "")
    except ValueError:
        return []
    away = datetime.now(UTC) - (server if server.tzinfo else server.replace(tzinfo=UTC))
    if abs(away) <= MOST_SKEW:
        return []
    word = "ahead of" if away > timedelta(0) else "behind"
    what = f"this machine's clock is {abs(away).total_seconds() / 60:.0f} minutes {word} the server's; beyond 15, S3 refuses every request"
    return [Problem(part, what, REMEDY)]
