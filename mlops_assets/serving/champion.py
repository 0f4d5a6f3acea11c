"""One version of a model as it is served, loaded and warmed up: what answers a request, and what is known of it. Never changed."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np
import pandas as pd

from mlops_assets.domain import Domain, ForecastDomain, Hourly, TabularDomain
from mlops_assets.ml.forecast.model import ForecastModel
from mlops_assets.ml.provenance import Provenance
from mlops_assets.ml.served import ServedModel

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

DomainT = TypeVar("DomainT", bound=Domain)
ModelT = TypeVar("ModelT")

WARM_UPS = 3
QUICK_SECONDS = 0.003
"""A model that answers one record within this is asked on the event loop: handing the work to a thread costs a tenth of it."""

NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Champion(Generic[DomainT, ModelT]):
    """A loaded version."""

    domain: DomainT
    version: str
    served: ModelT
    provenance: Provenance
    run_id: str
    """The MLflow run that logged it."""
    created_at: datetime
    """When it was registered, UTC."""
    is_quick: bool
    """Whether it may be asked for one record on the event loop."""


AnyChampion: TypeAlias = Champion[Any, Any]
Classifier: TypeAlias = Champion[TabularDomain, ServedModel]
Forecaster: TypeAlias = Champion[ForecastDomain, ForecastModel]


def load(domain: Domain, version: "ModelVersion") -> AnyChampion:
    """The version, loaded from MLflow's default registry; it has answered an example of what its system does.

    Raises whatever goes wrong in that.
    """
    from mlops_assets.ml import registry

    served: Any = registry.load_for_serving(f"models:/{version.name}/{version.version}")
    return Champion(
        domain=domain,
        version=str(version.version),
        served=served,
        provenance=Provenance.from_tags(version.tags),
        run_id=version.run_id or "",
        created_at=moment(version),
        is_quick=_try_out(domain, served),
    )


def moment(version: "ModelVersion") -> datetime:
    """When the version was registered, UTC."""
    return datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)


def window_hours(domain: ForecastDomain) -> int:
    """How many hours of history a forecast rests on at most. TypeError for a system that has no hours."""
    if not isinstance(domain.cadence, Hourly):
        raise TypeError(f"{domain.name} forecasts hours, but its cadence is {type(domain.cadence).__name__}")
    return domain.cadence.window


def _try_out(domain: Domain, served: Any) -> bool:
    """Asks for an example of what the system does; whether the answer came quickly enough for the event loop."""
    if isinstance(domain, ForecastDomain):
        served.forecast(_made_up_history(domain), created_at=NEW_YEAR)
        return False
    example = [{field.name: field.example for field in domain.request}]
    return min(_time_of_one(served, example) for _ in range(WARM_UPS)) <= QUICK_SECONDS


def _made_up_history(domain: ForecastDomain) -> pd.DataFrame:
    """A whole window of the total alone, which never stands still, up to New Year."""
    count = window_hours(domain)
    hours = pd.date_range(end=NEW_YEAR, periods=count + 1, freq="h")[:-1]
    values = 100 + 50 * np.sin(hours.hour.to_numpy() * np.pi / 12) + np.arange(count) % 7
    return pd.DataFrame(
        {domain.time_column: hours, domain.id_column: pd.array([None] * count, dtype="string[pyarrow]"), domain.target: values}
    )


def _time_of_one(served: ServedModel, example: list[dict[str, str | bool | int | float]]) -> float:
    start = time.perf_counter()
    served.answer(example)
    return time.perf_counter() - start
