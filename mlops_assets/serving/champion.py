"""One version of a model as it is served, loaded and warmed up: what answers a request, and what is known of it. Never changed."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_assets.domain import Domain
from mlops_assets.ml.provenance import Provenance
from mlops_assets.ml.served import ServedModel

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

WARM_UPS = 3
QUICK_SECONDS = 0.003
"""A model that answers one record within this is asked on the event loop: handing the work to a thread costs a tenth of it."""


@dataclass(frozen=True, slots=True)
class Champion:
    """A loaded version."""

    domain: Domain
    version: str
    served: ServedModel
    provenance: Provenance
    run_id: str
    """The MLflow run that logged it."""
    created_at: datetime
    """When it was registered, UTC."""
    is_quick: bool
    """Whether one record takes no longer than `QUICK_SECONDS`."""


def load(domain: Domain, version: "ModelVersion") -> Champion:
    """The version, loaded from MLflow's default registry; it has answered the Domain's example. Raises whatever goes wrong in that."""
    from mlops_assets.ml import registry

    served = registry.load_for_serving(f"models:/{version.name}/{version.version}")
    example = [{field.name: field.example for field in domain.request}]
    seconds = min(_time_of_one(served, example) for _ in range(WARM_UPS))
    return Champion(
        domain=domain,
        version=str(version.version),
        served=served,
        provenance=Provenance.from_tags(version.tags),
        run_id=version.run_id or "",
        created_at=moment(version),
        is_quick=seconds <= QUICK_SECONDS,
    )


def moment(version: "ModelVersion") -> datetime:
    """When the version was registered, UTC."""
    return datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)


def _time_of_one(served: ServedModel, example: list[dict[str, str | bool | int | float]]) -> float:
    start = time.perf_counter()
    served.answer(example)
    return time.perf_counter() - start
