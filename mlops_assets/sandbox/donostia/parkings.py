"""The car parks of the feed: what is always the same about them, and how one is written.

Names are those of 2022; places, spaces and prices are plausible ones, and the ids are made up.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

PARKINGS_FILE = Path(__file__).with_name("parkings.json")
LATER_NAMES = {"Geltokia": "Estación"}


@dataclass(frozen=True, slots=True)
class Parking:
    """One car park; `x` and `y` are its place in metres (EPSG:25830)."""

    name: str
    note_id: str
    rotation: int
    """Spaces for rotation."""
    residents: int
    """Spaces for residents."""
    residents_free: int
    latitude: float
    longitude: float
    x: float
    y: float
    prices: tuple[str, ...]

    def feature(self, free: str) -> dict[str, Any]:
        """The car park as the feed writes it; `free`: its free spaces."""
        properties = {
            "tipo": "LIB",
            "plazasRotatorias": self.rotation,
            "plazasResidentes": self.residents,
            "plazasResidentesLibres": self.residents_free,
            "libres": free,
            "nombre": self.name,
            "noteId": self.note_id,
            "precios": list(self.prices),
        }
        return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [self.x, self.y]}, "properties": properties}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the feed showed at a time (UTC, whole seconds): the free spaces by name, as texts."""

    captured_at: datetime
    free: Mapping[str, str]


Snapshots = Callable[[datetime], Snapshot | None]
"""The newest snapshot at or before a time (UTC); None before the first. The same at every call."""

PARKINGS = tuple(
    Parking(**{**fields, "prices": tuple(fields["prices"])}) for fields in json.loads(PARKINGS_FILE.read_text(encoding="utf-8"))
)
"""By name, the order of the feed."""
_BY_NAME = {parking.name: parking for parking in PARKINGS}


def named(name: str) -> Parking:
    """The car park of a name, of 2022 or a later one, else a new one."""
    known = _BY_NAME.get(LATER_NAMES.get(name, name))
    return newly_opened(name) if known is None else replace(known, name=name)


def newly_opened(name: str) -> Parking:
    """A car park beside Atotxa with an id of its own, always the same for a name."""
    return replace(_BY_NAME["Atotxa"], name=name, note_id=hashlib.md5(f"new {name}".encode(), usedforsecurity=False).hexdigest().upper())
