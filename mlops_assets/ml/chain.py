"""The stages in a row, without anything between them: scoring a model, and judging its recipe under another split.

The lineage stores what is between the stages; here it stays in memory.
"""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from mlops_assets.domain import Domain, Search, Split
from mlops_assets.ml.balance import balance
from mlops_assets.ml.encode import FeatureEncoder, feature_columns
from mlops_assets.ml.evaluate import binary_metrics
from mlops_assets.ml.outliers import remove_outliers
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.ml.search import SearchResult, Trial, search
from mlops_assets.ml.select import select_features
from mlops_assets.ml.split import split, split_of
from mlops_assets.ml.train import FittedModel, fit_candidate


def search_and_fit(
    domain: Domain,
    spec: Search,
    *,
    train: pd.DataFrame,
    balanced: pd.DataFrame,
    selected: pd.DataFrame,
    on_trial: Callable[[Trial], None] | None = None,
) -> tuple[FittedModel, SearchResult]:
    """The candidate and parameters that win the search, fitted on all training rows (scaled, or balanced and selected).

    ValueError names the candidates there are if the search is confined to one that is not among them.
    """
    result = search(
        train,
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
    )
    return fitted, result


def score(test: pd.DataFrame, model: FittedModel, domain: Domain) -> tuple[pd.DataFrame, dict[str, float]]:
    """Predictions [id, target, probability, label] for the scaled test rows, and their metrics."""
    probability = model.predict_probability(test)
    predictions = pd.DataFrame(
        {
            domain.id_column: test[domain.id_column],
            domain.target: test[domain.target].astype(bool),
            "probability": probability,
            "label": probability >= model.threshold,
        }
    )
    return predictions, binary_metrics(test[domain.target].to_numpy(), probability, model.threshold)


def metrics_frame(metrics: dict[str, float]) -> pd.DataFrame:
    """[metric, value], in the order given."""
    return pd.DataFrame({"metric": pd.array(list(metrics), dtype="string[pyarrow]"), "value": list(metrics.values())})


def raw_records(frame: pd.DataFrame, domain: Domain) -> pd.DataFrame:
    """The columns that a client would send, of enriched or split rows."""
    return frame[[field.name for field in domain.request]]


def compare_splits(train: pd.DataFrame, test: pd.DataFrame, metrics: pd.DataFrame, model: FittedModel, domain: Domain) -> pd.DataFrame:
    """The model's metrics beside those that its recipe reaches under the other kind of split: one row a split, its own first.

    `train` and `test` are the split rows, `metrics` the model's own on `test`. The recipe is fitted anew; its threshold is the model's.
    """
    used = split_of(test)
    other = replace(used, kind="temporal" if used.kind == "random" else "random")
    rows = pd.concat([train, test], ignore_index=True)
    found = {
        used.kind: dict(zip(metrics["metric"], metrics["value"], strict=True)),
        other.kind: metrics_under(rows, other, model, domain),
    }
    comparison = pd.DataFrame(found).T.rename_axis("split").reset_index()
    return comparison.astype({"split": "string[pyarrow]"})


def metrics_under(rows: pd.DataFrame, spec: Split, model: FittedModel, domain: Domain) -> dict[str, float]:
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
    )
    _, metrics = score(scaler.transform(encoder.transform(test)), fitted, domain)
    return metrics
