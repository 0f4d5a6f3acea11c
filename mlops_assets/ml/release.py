"""Registering a challenger and judging it against the champion: the registry and the promotion rule brought together.

What every kind of model has in common comes first; what records and what forecasts ask for follows.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from math import isnan
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from mlops_assets.domain import Domain, ForecastDomain, Method, TabularDomain
from mlops_assets.ml import champions, registry
from mlops_assets.ml.chain import raw_records
from mlops_assets.ml.engine import choose_engine
from mlops_assets.ml.logged_model import libraries_of, log_served_model
from mlops_assets.ml.model_files import Engine, Predictor
from mlops_assets.ml.persistence import content_hash, dumps
from mlops_assets.ml.promotion import Decision, Metrics, decide
from mlops_assets.ml.provenance import Provenance, library_versions
from mlops_assets.ml.served import ServedModel
from mlops_assets.ml.split import split_of
from mlops_assets.ml.task import task_of

if TYPE_CHECKING:
    from mlops_assets.ml.forecast.model import ForecastModel

logger = logging.getLogger(__name__)

NO_ENGINE = Engine("")
"""Of a model that has no estimator to convert."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one version and the metrics it rests on, those that could be measured; `champion` is None when there was none."""

    version: str
    decision: Decision
    challenger: dict[str, float]
    champion_version: str | None
    champion: dict[str, float] | None


def described(provenance: Provenance, served: Predictor) -> Provenance:
    """The provenance with what the model says of itself."""
    libraries = library_versions(libraries_of(served))
    if not isinstance(served, ServedModel):
        forecaster: Any = served
        return replace(provenance, library_versions=libraries, candidate=forecaster.method, params=forecaster.params)
    model: Any = served.model
    return replace(
        provenance,
        library_versions=libraries,
        candidate=model.candidate,
        params=model.params,
        threshold=float(model.threshold),
        features=tuple(model.columns),
    )


def _register(
    client: MlflowClient,
    domain: Domain,
    served: Predictor,
    fingerprint: str,
    *,
    run_id: str,
    provenance: Provenance,
    engine_of: Callable[[], Engine],
) -> tuple[ModelVersion, bool]:
    """The version with that fingerprint, with the alias `challenger`, and whether it is new.

    One that is there is kept as it is, if it still loads: registering twice changes nothing. Of two runs that register the same at the
    same time the later one takes its own version back.
    """
    name = domain.model_name
    version = _loadable_version(client, name, fingerprint)
    is_new = version is None
    if version is None:
        engine = engine_of()
        logged = log_served_model(served, run_id=run_id, request=domain.request, engine=engine)
        own = registry.register(
            client,
            name,
            logged.model_uri,
            run_id=run_id,
            provenance=replace(described(provenance, served), fingerprint=fingerprint, serving_engine=engine.name),
            description=domain.description,
        )
        version = _loadable_version(client, name, fingerprint) or own
        if version.version != own.version:
            client.delete_model_version(name, own.version)
            is_new = False
    registry.set_alias(client, name, registry.CHALLENGER, version.version)
    return version, is_new


def _loadable_version(client: MlflowClient, name: str, fingerprint: str) -> ModelVersion | None:
    """The oldest version with that fingerprint whose artifacts are still there."""
    for version in registry.versions_with_fingerprint(client, name, fingerprint):
        try:
            registry.load_served(f"models:/{name}/{version.version}")
        except Exception as error:
            logger.warning("%s version %s cannot be loaded and is left aside: %s", name, version.version, error)
        else:
            return version
    return None


def _judge(
    client: MlflowClient,
    domain: Domain,
    version: str,
    challenger: Metrics,
    *,
    compared_on: str,
    metrics_of: Callable[[ModelVersion], Metrics],
) -> Verdict:
    """Decides between the version and the present champion, of which `metrics_of` gives the metrics on the same data."""
    own = _measured(challenger)
    present = registry.by_alias(client, domain.model_name, registry.CHAMPION)
    if present is None:
        return Verdict(version, decide(challenger, None, domain.gates), own, None, None)
    if str(present.version) == version:
        return Verdict(version, Decision(True, "it is the champion already, unchanged"), own, version, own)
    champion = metrics_of(present)
    decision = decide(challenger, champion, domain.gates, compared_on=compared_on)
    return Verdict(version, decision, own, str(present.version), _measured(champion))


def _withdrawn(client: MlflowClient, domain: Domain, version: str, challenger: Metrics) -> Verdict | None:
    """The verdict on a version that a person has taken back; None if nobody has."""
    since = champions.withdrawn(client, domain.model_name, version)
    if since is None:
        return None
    reason = f"it was withdrawn by hand, {since}. To have it nevertheless: mlops-assets models promote {domain.name}/{version}"
    return Verdict(version, Decision(False, reason), _measured(challenger), None, None)


def _asked(domain: Domain, champion: ModelVersion, ask: Callable[[Any], Metrics]) -> Metrics:
    """What `ask` finds out from the loaded champion. RuntimeError if that fails."""
    try:
        return ask(registry.load_served(f"models:/{domain.model_name}/{champion.version}"))
    except Exception as error:
        raise RuntimeError(
            f"the champion {domain.model_name} version {champion.version} cannot be loaded and asked, so nothing can be compared with it: "
            f"{' '.join(str(error).split())}. Restore its artifacts, or give @champion to a version that loads."
        ) from error


def _measured(metrics: Metrics) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items() if value is not None and not isnan(value)}


def register_challenger(
    client: MlflowClient, domain: TabularDomain, served: ServedModel, *, run_id: str, provenance: Provenance, held_out: pd.DataFrame
) -> tuple[ModelVersion, bool]:
    """The version of this model, with the alias `challenger`, and whether it is new.

    A version with the same fitted state from the same upstream data versions is kept as it is, if it still loads: registering twice
    changes nothing. Of two runs that register the same at the same time the later one takes its own version back. `held_out` are raw
    records that took no part in fitting; on them the engine is chosen that serves the version. Fingerprint, engine and what the model
    says of itself are added to `provenance`.
    """
    lineage = repr(sorted((asset, sorted(keys.items())) for asset, keys in provenance.upstream.items()))
    fingerprint = content_hash(dumps(served) + lineage.encode())
    return _register(
        client,
        domain,
        served,
        fingerprint,
        run_id=run_id,
        provenance=provenance,
        engine_of=lambda: choose_engine(served, held_out),
    )


def judge(client: MlflowClient, domain: TabularDomain, version: str, challenger: Mapping[str, float], test: pd.DataFrame) -> Verdict:
    """Scores the present champion on the same test rows and decides. The champion itself, judged again, passes without a promotion.

    `challenger` holds the version's metrics on `test`, which is the split's test rows. RuntimeError if the champion cannot be loaded.
    """
    if withdrawn := _withdrawn(client, domain, version, challenger):
        return withdrawn
    present = registry.by_alias(client, domain.model_name, registry.CHAMPION)
    trained_under = Provenance.from_tags(present.tags).split if present else ""
    if present and str(present.version) != version and trained_under and trained_under != split_of(test).to_json():
        reason = (
            f"the champion, version {present.version}, was trained under another split, {trained_under}, so that these test rows, "
            f"{split_of(test).to_json()}, may be its training rows. If the split is to change, give @champion to the new version by hand."
        )
        return Verdict(version, Decision(False, reason), dict(challenger), str(present.version), None)
    task = task_of(domain)

    def metrics_of(served: ServedModel) -> Metrics:
        probabilities = task.probabilities(served.predict(raw_records(test, domain)))
        return task.metrics(task.labels(test[domain.target]), probabilities, served.model.threshold)

    return _judge(client, domain, version, challenger, compared_on="rows", metrics_of=lambda champion: _asked(domain, champion, metrics_of))


def register_method(
    client: MlflowClient, domain: ForecastDomain, model: "ForecastModel", *, run_id: str, provenance: Provenance
) -> tuple[ModelVersion, bool]:
    """The version of this choice of method, with the alias `challenger`, and whether it is new.

    A version with the same method, parameters and constants is kept, whatever data it was chosen on, because it holds none; its provenance
    stays that of its first choice. The rest is as in `register_challenger`.
    """
    fingerprint = content_hash(dumps(model))
    return _register(client, domain, model, fingerprint, run_id=run_id, provenance=provenance, engine_of=lambda: NO_ENGINE)


def judge_method(
    client: MlflowClient, domain: ForecastDomain, version: str, challenger: Metrics, history: pd.DataFrame, *, created_at: datetime
) -> Verdict:
    """Back-tests the present champion on the same cutoffs and decides. The champion itself, judged again, passes without a promotion.

    `challenger` holds the version's scores in the comparison on `history` at `created_at`, None or NaN where there are none. The champion's
    method is scored under the Domain's present constants, so that the cutoffs are the same; a challenger that differs from it only in those
    constants has but to reach the gates. RuntimeError if the champion cannot be loaded.
    """
    from mlops_assets.ml.forecast.model import ForecastModel

    if withdrawn := _withdrawn(client, domain, version, challenger):
        return withdrawn
    present = registry.by_alias(client, domain.model_name, registry.CHAMPION)
    if present and str(present.version) != version and _method_of(present) == _method_of(client.get_model_version(present.name, version)):
        decision = decide(challenger, None, domain.gates)
        if decision.promote:
            decision = Decision(True, "the champion's method, with the system's present constants")
        return Verdict(version, decision, _measured(challenger), str(present.version), None)

    def scores_of(champion: ForecastModel) -> Metrics:
        method = Method(champion.method, "the champion's", champion.params)
        scores = ForecastModel.of(domain, method).scores(history, created_at=created_at)
        return asdict(scores) if scores else {}

    return _judge(
        client, domain, version, challenger, compared_on="cutoffs", metrics_of=lambda champion: _asked(domain, champion, scores_of)
    )


def _method_of(version: ModelVersion) -> tuple[str, Mapping[str, Any]]:
    found = Provenance.from_tags(version.tags)
    return found.candidate, found.params
