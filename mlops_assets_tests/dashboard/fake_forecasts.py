"""The forecasting half of the stand-in: a system of made-up hourly series with gaps, its forecasts, and how good they were."""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_assets.domain import ForecastDomain

HOUR = timedelta(hours=1)
NOW = datetime(2022, 5, 13, 9, tzinfo=UTC)
"""The run hour; the hour before it is the newest complete one."""
CAR_PARKS = {"id-kursaal": ("Kursaal", 540), "id-arcco": ("Arcco", 320), "id-okendo": ("Okendo", 410)}
GAP_HOURS = (30, 31, 32, 33, 34, 80)
"""So many hours before the newest one nothing was read, of any series."""
UNIT = "Free spaces in the last reading of the hour."
METRICS = {"mae": 131.2, "mase": 0.913, "cutoffs": 8, "points": 192}


@dataclass
class ServedSeries:
    """One system: its versions as in `Served`, the hour since which its feed is frozen, if it is, and how many days were scored."""

    domain: ForecastDomain
    newest: int = 3
    champion: int = 2
    observations: int = 28 * 24
    frozen_hours: int = 0
    scored_days: int = 20
    reason: str = ""

    def summary(self) -> dict[str, Any]:
        ready = self.champion > 0
        return {
            "name": self.domain.name,
            "registered_model": self.domain.model_name,
            "title": self.domain.title,
            "description": self.domain.description,
            "task": "forecast",
            "ready": ready,
            "version": str(self.champion) if ready else None,
            "metrics": self.metrics(self.champion) if ready else {},
            "trained_at": "2022-05-12T05:06:07Z" if ready else None,
        }

    def detail(self) -> dict[str, Any]:
        empty = {"required": False, "nullable": True, "categories": []}
        return {
            **self.summary(),
            "request": [
                {"name": "horizon", "type": "long", "description": "Hours ahead.", "example": self.domain.horizon, **empty},
                {"name": self.domain.id_column, "type": "string", "description": "Which series.", "example": "id-arcco", **empty},
            ],
            "example": {"horizon": self.domain.horizon, self.domain.id_column: None},
            "forecasting": {
                "id_column": self.domain.id_column,
                "unit": UNIT,
                "total": self.domain.total,
                "horizon": self.domain.horizon,
                "max_horizon": self.domain.max_horizon,
                "season": self.domain.season,
                "coverage": self.domain.coverage,
                "frozen_hours": self.domain.frozen_hours,
                "methods": {"mstl": "Trend, day and week, each by itself.", "seasonal_naive": "The day before once more."},
                "series": [{"id": identifier, "name": name} for identifier, (name, _) in CAR_PARKS.items()],
            },
            "features": [],
            "classes": None,
            "candidate": "mstl",
            "params": {"seasons": [24, 168]},
            "threshold": None,
            "engine": None,
            "engine_note": None,
            "lineage": {
                "partition": "2022-05-12T04",
                "dagster_run_id": "5f0c1a52-0000-4000-8000-000000000000",
                "git_commit": "0123456789abcdef",
                "code_version": "c0de",
                "upstream": {},
                "ranges": {
                    f"{self.domain.name}/enriched": {"first": "2022-04-14T05", "last": "2022-05-12T04", "count": 633, "digest": f"{7:032x}"}
                },
            },
            "links": {"mlflow": "http://127.0.0.1:5000/#/models/x", "dagster": "http://127.0.0.1:3000/runs/y"},
        }

    def metrics(self, version: int) -> dict[str, float]:
        return {name: value if name in ("cutoffs", "points") else value + (self.newest - version) / 50 for name, value in METRICS.items()}

    def versions(self) -> dict[str, Any]:
        aliases = {self.newest: ["challenger"], self.champion: ["champion"]}
        return {
            "versions": [
                {
                    "version": str(version),
                    "aliases": aliases.get(version, []),
                    "metrics": self.metrics(version),
                    "created_at": f"2022-05-{version:02}T05:06:07Z",
                    "candidate": "mstl",
                    "partition": f"2022-05-{version:02}T04",
                    "run_id": f"run{version}",
                }
                for version in range(self.newest, 0, -1)
            ]
        }

    @property
    def frozen_since(self) -> datetime:
        return NOW - self.frozen_hours * HOUR

    def history(self, hours: int) -> dict[str, Any]:
        hours = min(hours, self.observations)
        times = [NOW - back * HOUR for back in range(hours, 0, -1)]
        parks = [
            {self.domain.id_column: identifier, "name": name, "total": total, **self._course(times, total)}
            for identifier, (name, total) in CAR_PARKS.items()
        ]
        sums = [None if None in values else sum(values) for values in zip(*(park["values"] for park in parks), strict=True)]
        city = {
            self.domain.id_column: None,
            "name": self.domain.total,
            "total": sum(total for _, total in CAR_PARKS.values()),
            "timestamps": parks[0]["timestamps"],
            "values": sums,
            "state": parks[0]["state"],
        }
        return {
            "model": self.domain.name,
            "as_of": _text(NOW - HOUR),
            "unit": self.domain.target,
            "published": None,
            "series": [*parks, city],
        }

    def forecast(self, horizon: int, series: str | None) -> tuple[int, dict[str, Any]]:
        if self.frozen_hours:
            since = _text(self.frozen_since)
            return 503, {"detail": f"the feed has not moved since {since}", "errors": [], "total": 0, "since": since}
        total = CAR_PARKS[series][1] if series else sum(total for _, total in CAR_PARKS.values())
        hours = []
        for ahead in range(1, horizon + 1):
            time = NOW + ahead * HOUR
            value, half = total * _share(time), total * 0.04 * math.sqrt(min(ahead, 24))
            hours.append(
                {"timestamp": _text(time), "horizon": ahead, "yhat": value, "yhat_lower": value - half, "yhat_upper": value + half}
            )
        return 200, {
            "model": self.domain.name,
            "model_version": str(self.champion),
            "created_at": _text(NOW),
            "as_of": _text(NOW - HOUR),
            self.domain.id_column: series,
            "method": "seasonal_naive" if self.reason else "mstl",
            "reason": self.reason,
            "train_points": 633,
            "coverage": self.domain.coverage,
            "forecast": hours,
        }

    def accuracy(self, days: int, series: str | None) -> dict[str, Any]:
        draw = random.Random(7)  # noqa: S311 - made-up data
        days = min(days, self.scored_days)
        size = 30.0 if series else 120.0
        by_horizon = [
            {"horizon": ahead, "points": 24 * days, "mae": size * (0.5 + ahead / 48), "within": draw.uniform(0.7, 0.86)}
            for ahead in range(1, 25)
        ]
        by_day = [
            {"day": f"{NOW - back * 24 * HOUR:%F}", "points": 576, "mae": size * draw.uniform(0.6, 1.5), "within": draw.uniform(0.6, 0.95)}
            for back in range(days, 0, -1)
        ]
        return {
            "model": self.domain.name,
            self.domain.id_column: series,
            "coverage": self.domain.coverage,
            "points": 576 * days,
            "mae": size if days else None,
            "within": 0.782 if days else None,
            "by_horizon": by_horizon if days else [],
            "by_day": by_day,
            "backtests": [
                {
                    "run_at": _text(NOW - back * HOUR),
                    "method": "mstl",
                    "model_desc": "mstl",
                    "model_version": str(self.champion),
                    "train_points": 633,
                    "mae": 130 + 15 * math.sin(back / 9) if back > 2 else None,
                    "mase": 0.9,
                    "cutoffs": 8,
                }
                for back in range(24 * days, -1, -1)
            ],
        }

    def _course(self, times: list[datetime], total: int) -> dict[str, Any]:
        values: list[float | None] = []
        state = []
        for back, time in zip(range(len(times), 0, -1), times, strict=True):
            frozen = time > self.frozen_since
            values.append(None if back in GAP_HOURS else round(total * _share(min(time, self.frozen_since) if self.frozen_hours else time)))
            state.append("gap" if back in GAP_HOURS else "frozen" if frozen and self.frozen_hours else "observed")
        return {"timestamps": [_text(time) for time in times], "values": values, "state": state}


def _share(time: datetime) -> float:
    """Free at night, full at noon, emptier at the weekend."""
    weekend = 0.1 if time.weekday() >= 5 else 0.0
    return min(
        0.95, 0.5 + weekend + 0.35 * math.cos((time.hour - 2) / 24 * 2 * math.pi) + 0.02 * math.sin(time.toordinal() * 3 + time.hour)
    )


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
