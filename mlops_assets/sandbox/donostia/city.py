"""Generated counts: the city at any time, with the week, the spread and the memory of the real one, deterministic by seed.

Here belongs how a count comes to be; `learn` made the tables it starts from. There is no state: a time is enough.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from mlops_assets.sandbox.donostia.parkings import PARKINGS, Snapshot

Floats = NDArray[np.float64]

PROFILE = Path(__file__).with_name("city.json")
ZONE = ZoneInfo("Europe/Madrid")
DAY_KINDS = ("Monday to Thursday", "Friday", "Saturday", "Sunday")
HALF_HOUR = timedelta(minutes=30)
SLOW, HOURLY, QUICK = 3 * 86_400, 2 * 3_600, 600
"""Seconds in which the three departures from the mean week turn to something new."""
QUICK_CARS = 1.5
"""Standard deviation of the quickest one: cars that come and go."""
STUCK_DAYS = 21
OFTEN_STUCK = ("Arcco", "Kursaal", "Txofre")
"""In each span of so many days the counters of one or two of these stand at 0."""
MISCOUNTED, LOWEST = 0.15, -8
"""The share of days on which a full car park's counter falls below 0, and how far at most."""


def day_kind(local: datetime) -> int:
    """The position in `DAY_KINDS` of a local time."""
    return max(0, local.weekday() - 3)


class GeneratedCity:
    """The car parks of a city that exists only here; the same seed gives the same counts."""

    def __init__(self, seed: int) -> None:
        profile: dict[str, Any] = json.loads(PROFILE.read_text(encoding="utf-8"))
        tables = [profile["parkings"][parking.name] for parking in PARKINGS]
        self._seed = seed
        self._names = [parking.name for parking in PARKINGS]
        self._top = np.array([table["top"] for table in tables], float)
        self._mean = np.array([table["mean"] for table in tables], float)
        self._spread = np.array([table["spread"] for table in tables], float)
        self._shared = np.sqrt(profile["correlation"])
        self._memory = np.sqrt(profile["memory"])
        self._drawn = lru_cache(maxsize=4096)(self._draw)

    def at(self, moment: datetime) -> Snapshot:
        """What the feed shows at a time (time zone aware)."""
        second = moment.astimezone(UTC).replace(microsecond=0)
        seconds = int((second - datetime.min.replace(tzinfo=UTC)).total_seconds())
        mean, spread = self._usual(second.astimezone(ZONE).replace(tzinfo=None))
        departure = self._memory * self._wave(seconds, SLOW) + np.sqrt(1 - self._memory**2) * self._wave(seconds, HOURLY)
        counts = mean + spread * departure + np.minimum(spread, QUICK_CARS) * self._wave(seconds, QUICK)
        counts = np.where(counts > self._top, 2 * self._top - counts, counts)
        counts = np.maximum(counts, self._floor(seconds // 86_400)).round().astype(int)
        stuck = self._stuck(seconds // (STUCK_DAYS * 86_400))
        return Snapshot(
            second, {name: "0" if name in stuck else str(count) for name, count in zip(self._names, counts.tolist(), strict=True)}
        )

    def _usual(self, local: datetime) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each count at a local time, float64[16] each; a table's value is that of its hour's middle."""
        before, after = local - HALF_HOUR, local + HALF_HOUR
        share = (before.minute * 60 + before.second) / 3600
        mean = (1 - share) * self._mean[:, day_kind(before), before.hour] + share * self._mean[:, day_kind(after), after.hour]
        return mean, (1 - share) * self._spread[:, before.hour] + share * self._spread[:, after.hour]

    def _wave(self, seconds: int, period: int) -> Floats:
        """float64[16], each standard normal over time: moves smoothly from one draw to the next, one `period` later."""
        position, rest = divmod(seconds, period)
        share = rest / period
        before, after = self._drawn(period, position), self._drawn(period, position + 1)
        wave: Floats = ((1 - share) * before + share * after) / np.hypot(1 - share, share)
        return wave

    def _draw(self, period: int, position: int) -> Floats:
        drawn = np.random.default_rng([self._seed, period, position]).standard_normal(1 + len(self._names))
        shared: Floats = self._shared * drawn[0] + np.sqrt(1 - self._shared**2) * drawn[1:]
        return shared

    def _floor(self, day: int) -> Floats:
        """The lowest count that each counter shows on a day, float64[16]; the empty ones have no counter."""
        rng = np.random.default_rng([self._seed, 1, day])
        lowest = rng.integers(LOWEST, 0, len(self._top)) * (rng.random(len(self._top)) < MISCOUNTED)
        return np.where(self._top > 0, lowest, 0.0)

    def _stuck(self, span: int) -> set[str]:
        """The car parks whose counters stand at 0."""
        rng = np.random.default_rng([self._seed, 2, span])
        return set(rng.permutation(OFTEN_STUCK)[: rng.integers(1, 3)].tolist())
