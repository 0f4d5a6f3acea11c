"""The stages in a row, without anything between them: scoring a model, and judging its recipe under another split.

The lineage stores what is between the stages; here it stays in memory.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from mlops_assets.domain import Search, Split, TabularDomain
from mlops_assets.ml.balance import balance
from mlops_assets.ml.encode import FeatureEncoder, feature_columns
from mlops_assets.ml.outliers import remove_outliers
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.ml.search import SearchResult, Trial, search
from mlops_assets.ml.select import select_features
from mlops_assets.ml.split import UnsplittableError, split, split_of
from mlops_assets.ml.task import task_of
from mlops_assets.ml.train import FittedModel, fit_candidate

logger = logging.getLogger(__name__)


def search_and_fit(
    domain: TabularDomain,
    spec: Search,
    *,
    train: pd.DataFrame,
    balanced: pd.DataFrame | None = None,
    selected: pd.DataFrame | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> tuple[FittedModel, SearchResult]:
    """The candidate and parameters that win the search, fitted on all training rows (scaled, or balanced and selected).

    `balanced` and `selected` are there where the domain resamples. ValueError names the candidates there are if the search is confined
    to one that is not among them.
    """
    task = task_of(domain)
    result = search(
        train,
        task=task,
        target=domain.target,
        features=domain.features,
        candidates=[domain.candidate(spec.candidate)] if spec.candidate else domain.candidates,
        balance=domain.balance,
        selection=domain.selection,
        search=spec,
        on_trial=on_trial,
    )
    fitted = fit_candidate(
        domain.candidate(result.candidate),
        result.params,
        train=train,
        balanced=balanced,
        selected=selected,
        target=domain.target,
        features=domain.features,
        seed=spec.seed,
        threshold=result.threshold,
        classes=task.classes,
    )
    return fitted, result


def score(test: pd.DataFrame, model: FittedModel, domain: TabularDomain) -> tuple[pd.DataFrame, dict[str, float]]:
    """Predictions [id, target, and the columns of the task's answer] for the scaled test rows, and their metrics."""
    task = task_of(domain)
    labels, probabilities = task.labels(test[domain.target]), model.predict_probabilities(test)
    truth = pd.DataFrame({domain.id_column: test[domain.id_column], domain.target: labels})
    predictions = truth.join(task.answer(probabilities, model.threshold).set_index(truth.index))
    return predictions, task.metrics(labels, probabilities, model.threshold)


def metrics_frame(metrics: dict[str, float]) -> pd.DataFrame:
    """[metric, value], in the order given."""
    return pd.DataFrame({"metric": pd.array(list(metrics), dtype="string[pyarrow]"), "value": list(metrics.values())})


def raw_records(frame: pd.DataFrame, domain: TabularDomain) -> pd.DataFrame:
    """The columns that a client would send, of enriched or split rows."""
    return frame[[field.name for field in domain.request]]


def largest_difference(answer: pd.DataFrame, predictions: pd.DataFrame, domain: TabularDomain) -> float:
    """Of the probabilities of a model's `answer` and the lineage's `predictions` for the same rows; infinite if a label differs."""
    task = task_of(domain)
    if not np.array_equal(answer["label"].to_numpy(), predictions["label"].to_numpy()):
        return float("inf")
    return float(np.abs(task.probabilities(answer) - task.probabilities(predictions)).max(initial=0))


def compare_splits(
    train: pd.DataFrame, test: pd.DataFrame, metrics: pd.DataFrame, model: FittedModel, domain: TabularDomain
) -> pd.DataFrame:
    """The model's metrics beside those that its recipe reaches under the other kind of split: one row a split, its own first.

    `train` and `test` are the split rows, `metrics` the model's own on `test`. The recipe is fitted anew; its threshold is the model's.
    Rows that the other split leaves without a class on one side, as when all of them came at one time, have no row for it.
    """
    used = split_of(test)
    other = replace(used, kind="temporal" if used.kind == "random" else "random")
    rows = pd.concat([train, test], ignore_index=True)
    found = {used.kind: dict(zip(metrics["metric"], metrics["value"], strict=True))}
    try:
        found[other.kind] = metrics_under(rows, other, model, domain)
    except UnsplittableError as error:
        logger.warning("there is no %s split to compare with: %s", other.kind, error)
    comparison = pd.DataFrame(found).T.rename_axis("split").reset_index()
    return comparison.astype({"split": "string[pyarrow]"})


def metrics_under(rows: pd.DataFrame, spec: Split, model: FittedModel, domain: TabularDomain) -> dict[str, float]:
    """What the model's candidate with its parameters reaches when `rows` (enriched) are split by `spec`."""
    candidate = domain.candidate(model.candidate)
    train, test = split(rows, spec, id_column=domain.id_column, time_column=domain.time_column, target=domain.target)
    train, _ = remove_outliers(train, domain.outliers)
    encoder = FeatureEncoder(domain.features, domain.target, domain.id_column)
    encoded = encoder.fit_transform(train)
    scaler = FrameScaler(domain.features.scaled).fit(encoded)
    scaled = scaler.transform(encoded)
    plain = feature_columns(domain.features, ("plain",))
    resampled = candidate.balance or candidate.select
    balanced = balance(scaled, domain.balance, target=domain.target, columns=plain) if resampled else None
    selected = None
    if balanced is not None and candidate.select:
        selected = select_features(balanced, domain.selection, target=domain.target, columns=plain)
    fitted = fit_candidate(
        candidate,
        model.params,
        train=scaled,
        balanced=balanced,
        selected=selected,
        target=domain.target,
        features=domain.features,
        seed=domain.search.seed,
        threshold=model.threshold,
        classes=model.classes,
    )
    _, metrics = score(scaler.transform(encoder.transform(test)), fitted, domain)
    return metrics
