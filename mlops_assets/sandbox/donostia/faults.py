"""Misbehaviour on demand: what goes wrong between a client and the feed.

Here belongs which fault strikes which request, and what it does to counts and features; the sandboxes' `faults` has those of the transport.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from mlops_assets.sandbox.donostia.parkings import PARKINGS, newly_opened
from mlops_assets.sandbox.faults import TRANSPORT_KINDS, TransportFault

FIELDS = ("geometry", "properties", *PARKINGS[0].feature("0")["properties"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(TransportFault):
    """One way to misbehave: those of the transport, and those of the data. Times are ISO 8601 texts, UTC unless they say otherwise.

    Of the whole feed: `frozen`, every count is the one of `since`; `empty`, no features; `latin1`, the body is ISO 8859-1, and the
    content type says so with `charset`; `clock_skew`, the Date header is `skew_seconds` ahead. Of one `parking`: `stuck`, its count is
    the one of `since`; `free`, its `libres` is `value`; `missing_field`, it has no `field`; `renamed`, it is called `new_name`; `gone`;
    `duplicate_id`, it has the next one's noteId. `new_parking`: one more, called `new_name`.
    """

    KINDS: ClassVar[tuple[str, ...]] = (
        *TRANSPORT_KINDS,
        *("frozen", "empty", "latin1", "clock_skew"),
        *("stuck", "free", "missing_field", "renamed", "gone", "duplicate_id", "new_parking"),
    )

    parking: str = "Atotxa"
    since: str | None = None
    """Strike only what the feed showed at this time or later."""
    until: str | None = None
    """Strike only what the feed showed before this time."""
    field: str = "libres"
    value: str | int | None = None
    new_name: str = "Geltokia"
    charset: bool = True
    skew_seconds: float = 600.0

    def __post_init__(self) -> None:
        TransportFault.__post_init__(self)
        if self.parking not in {parking.name for parking in PARKINGS}:
            raise ValueError(f"no car park is called {self.parking!r}; there are: {', '.join(parking.name for parking in PARKINGS)}")
        if self.field not in FIELDS:
            raise ValueError(f"a feature has no {self.field!r}; it has: {', '.join(FIELDS)}")
        if self.kind in ("frozen", "stuck") and self.since is None:
            raise ValueError(f"a feed that is {self.kind} needs since: the time from which it is")
        for text in (self.since, self.until):
            _moment(text)

    def matches(self, moment: datetime) -> bool:
        """Whether a request for what the feed showed at `moment` is struck."""
        since, until = _moment(self.since), _moment(self.until)
        return (since is None or since <= moment) and (until is None or moment < until)

    @property
    def stopped_at(self) -> datetime | None:
        """The time from which counts do not change; None: they do."""
        return _moment(self.since) if self.kind in ("frozen", "stuck") else None

    def stop(self, free: Mapping[str, str], then: Mapping[str, str]) -> dict[str, str]:
        """The counts `free` as this fault leaves them, given those of `stopped_at`."""
        return {name: then.get(name, count) if self.kind == "frozen" or name == self.parking else count for name, count in free.items()}

    def spoil(self, features: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The features as this fault leaves them."""
        if self.kind == "empty":
            return []
        if self.kind == "new_parking":
            return [*features, newly_opened(self.new_name).feature("40")]
        names = [feature.get("properties", {}).get("nombre") for feature in features]
        if self.parking not in names:
            return list(features)
        position = names.index(self.parking)
        next_one = features[(position + 1) % len(features)]
        return [*features[:position], *self._spoil_feature(features[position], next_one), *features[position + 1 :]]

    def _spoil_feature(self, feature: dict[str, Any], next_one: dict[str, Any]) -> list[dict[str, Any]]:
        if self.kind == "gone":
            return []
        if self.kind == "missing_field":
            return [_without(feature, self.field)]
        if self.kind == "free":
            return [_with(feature, libres=self.value)]
        if self.kind == "renamed":
            return [_with(feature, nombre=self.new_name)]
        if self.kind == "duplicate_id":
            return [_with(feature, noteId=next_one["properties"]["noteId"])]
        return [feature]


def _with(feature: dict[str, Any], **properties: object) -> dict[str, Any]:
    return {**feature, "properties": {**feature["properties"], **properties}}


def _without(feature: dict[str, Any], field: str) -> dict[str, Any]:
    if field in feature:
        return {name: value for name, value in feature.items() if name != field}
    return {**feature, "properties": {name: value for name, value in feature["properties"].items() if name != field}}


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
