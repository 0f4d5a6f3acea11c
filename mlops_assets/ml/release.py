"""Registering a challenger and judging it against the champion: the registry and the promotion rule brought together."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from mlops_assets.domain import TabularDomain
from mlops_assets.ml import registry
from mlops_assets.ml.chain import raw_records
from mlops_assets.ml.engine import choose_engine
from mlops_assets.ml.logged_model import log_served_model
from mlops_assets.ml.persistence import content_hash, dumps
from mlops_assets.ml.promotion import Decision, decide
from mlops_assets.ml.provenance import Provenance
from mlops_assets.ml.served import ServedModel
from mlops_assets.ml.split import split_of
from mlops_assets.ml.task import task_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one version and the metrics it rests on; `champion` is None when there was none."""

    version: str
    decision: Decision
    challenger: dict[str, float]
    champion_version: str | None
    champion: dict[str, float] | None


def register_challenger(
    client: MlflowClient, domain: TabularDomain, served: ServedModel, *, run_id: str, provenance: Provenance, held_out: pd.DataFrame
) -> tuple[ModelVersion, bool]:
    """The version of this model, with the alias `challenger`, and whether it is new.

    A version with the same fitted state from the same upstream data versions is kept as it is, if it still loads: registering twice
    changes nothing. Of two runs that register the same at the same time the later one takes its own version back. `held_out` are raw
    records that took no part in fitting; on them the engine is chosen that serves the version. Fingerprint, engine and what the model
    says of itself are added to `provenance`.
    """
    name = domain.model_name
    lineage = repr(sorted((asset, sorted(keys.items())) for asset, keys in provenance.upstream.items()))
    fingerprint = content_hash(dumps(served) + lineage.encode())
    version = _loadable_version(client, name, fingerprint)
    is_new = version is None
    if version is None:
        engine = choose_engine(served, held_out)
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


def described(provenance: Provenance, served: ServedModel) -> Provenance:
    """The provenance with what the fitted model says of itself."""
    model: Any = served.model
    return replace(
        provenance, candidate=model.candidate, params=model.params, threshold=float(model.threshold), features=tuple(model.columns)
    )


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


def judge(client: MlflowClient, domain: TabularDomain, version: str, challenger: dict[str, float], test: pd.DataFrame) -> Verdict:
    """Scores the present champion on the same test rows and decides. The champion itself, judged again, passes without a promotion.

    `challenger` holds the version's metrics on `test`, which is the split's test rows. RuntimeError if the champion cannot be loaded.
    """
    present = registry.by_alias(client, domain.model_name, registry.CHAMPION)
    if present is None:
        return Verdict(version, decide(challenger, None, domain.gates), challenger, None, None)
    champion_version = str(present.version)
    if champion_version == version:
        return Verdict(version, Decision(True, "it is the champion already, unchanged"), challenger, champion_version, challenger)
    trained_under = Provenance.from_tags(present.tags).split
    if trained_under and trained_under != split_of(test).to_json():
        reason = (
            f"the champion, version {champion_version}, was trained under another split, {trained_under}, so that these test rows, "
            f"{split_of(test).to_json()}, may be its training rows. If the split is to change, give @champion to the new version by hand."
        )
        return Verdict(version, Decision(False, reason), challenger, champion_version, None)
    champion = _metrics_of(domain, champion_version, test)
    return Verdict(version, decide(challenger, champion, domain.gates), challenger, champion_version, champion)


def _metrics_of(domain: TabularDomain, version: str, test: pd.DataFrame) -> dict[str, float]:
    task = task_of(domain)
    try:
        served = registry.load_served(f"models:/{domain.model_name}/{version}")
        probabilities = task.probabilities(served.predict(raw_records(test, domain)))
    except Exception as error:
        raise RuntimeError(
            f"the champion {domain.model_name} version {version} cannot be loaded and asked, so nothing can be compared with it: {error}. "
            f"Restore its artifacts, or give @champion to a version that loads."
        ) from error
    return task.metrics(task.labels(test[domain.target]), probabilities, served.model.threshold)
