"""Hours as partition keys, `YYYY-MM-DDTHH` in UTC. What a partition definition is made of belongs to `partitions`."""

from datetime import UTC, datetime, timedelta

HOUR_FORMAT = "%Y-%m-%dT%H"
HOUR = timedelta(hours=1)


def hour_key(moment: datetime) -> str:
    """The partition that a moment with a time zone belongs to."""
    return moment.astimezone(UTC).strftime(HOUR_FORMAT)


def hour_of(key: str) -> datetime:
    """The first moment (UTC) of an hourly partition. ValueError if `key` is none."""
    return datetime.strptime(key, HOUR_FORMAT).replace(tzinfo=UTC)
