"""The stages in a row: scoring, and the same recipe under another split."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domain import Batches, Candidate, Features, Search, Split, TabularDomain
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.chicago_crime.transforms import CrimeEnricher
from mlops_assets.ml.balance import balance
from mlops_assets.ml.chain import compare_splits, metrics_frame, metrics_under, raw_records, score, search_and_fit
from mlops_assets.ml.encode import FeatureEncoder, feature_columns
from mlops_assets.ml.evaluate import binary_metrics, multiclass_metrics
from mlops_assets.ml.outliers import remove_outliers
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.ml.select import select_features
from mlops_assets.ml.split import split
from mlops_assets.ml.train import FittedModel

DOMAIN = replace(
    CHICAGO_CRIME,
    candidates=tuple(
        replace(candidate, params={"n_estimators": 5, "max_depth": 3}, space={}) for candidate in reversed(CHICAGO_CRIME.candidates)
    ),
)
RANDOM, TEMPORAL = Split("random"), Split("temporal")


@pytest.fixture(scope="module")
def rows(raw: pd.DataFrame) -> pd.DataFrame:
    """300 enriched crimes, every fiftieth of them far out."""
    enriched = CrimeEnricher(["1", "18"], np.array([[1_176_000.0, 1_860_000.0], [1_172_000.0, 1_908_000.0]])).transform(raw)
    enriched.loc[::50, "station_distance_m"] = 100_000.0
    return enriched


def _stages(rows: pd.DataFrame, spec: Split) -> dict[str, pd.DataFrame]:
    """The lineage's stages, called one by one."""
    names = {"id_column": DOMAIN.id_column, "time_column": DOMAIN.time_column, "target": DOMAIN.target}
    train, test = split(rows, spec, **names)
    kept, _ = remove_outliers(train, DOMAIN.outliers)
    encoder = FeatureEncoder(DOMAIN.features, DOMAIN.target, DOMAIN.id_column)
    encoded = encoder.fit_transform(kept)
    scaler = FrameScaler(DOMAIN.features.scaled).fit(encoded)
    scaled = scaler.transform(encoded)
    plain = feature_columns(DOMAIN.features, ("plain",))
    balanced = balance(scaled, DOMAIN.balance, target=DOMAIN.target, columns=plain)
    selected = select_features(balanced, DOMAIN.selection, target=DOMAIN.target, columns=plain)
    scaled_test = scaler.transform(encoder.transform(test))
    return {"train": train, "test": test, "scaled": scaled, "scaled_test": scaled_test, "balanced": balanced, "selected": selected}


def _fit(stages: dict[str, pd.DataFrame], candidate: str) -> FittedModel:
    domain = replace(DOMAIN, candidates=(DOMAIN.candidate(candidate),))
    frames: dict[str, Any] = {"train": stages["scaled"], "balanced": stages["balanced"], "selected": stages["selected"]}
    return search_and_fit(domain, Search(trials=0, seed=DOMAIN.search.seed), **frames)[0]


def test_search_and_fit_without_trials_takes_the_first_candidate(rows: pd.DataFrame) -> None:
    stages = _stages(rows, RANDOM)
    fitted, result = search_and_fit(
        DOMAIN, Search(trials=0), train=stages["scaled"], balanced=stages["balanced"], selected=stages["selected"]
    )

    assert (fitted.candidate, fitted.params, fitted.threshold, result.trials) == ("plain", {"n_estimators": 5, "max_depth": 3}, 0.5, ())


def test_search_and_fit_confined_to_a_candidate_considers_no_other(rows: pd.DataFrame) -> None:
    stages = _stages(rows, RANDOM)
    frames: dict[str, Any] = {"train": stages["scaled"], "balanced": stages["balanced"], "selected": stages["selected"]}

    fitted, _ = search_and_fit(DOMAIN, Search(trials=0, candidate="reference"), **frames)
    _, result = search_and_fit(DOMAIN, Search(trials=3, candidate="reference"), **frames)

    assert fitted.candidate == "reference"
    assert [trial.candidate for trial in result.trials] == ["reference"]
    with pytest.raises(ValueError, match="no candidate 'other'; it has: plain, reference, target"):
        search_and_fit(DOMAIN, Search(trials=0, candidate="other"), **frames)


def test_search_and_fit_fits_the_winner_on_all_training_rows_and_reports_each_trial(rows: pd.DataFrame) -> None:
    stages = _stages(rows, RANDOM)
    seen: list[Any] = []
    fitted, result = search_and_fit(
        DOMAIN,
        Search(trials=3),
        train=stages["scaled"],
        balanced=stages["balanced"],
        selected=stages["selected"],
        on_trial=seen.append,
    )

    best = max(seen, key=lambda trial: trial.value)
    assert tuple(seen) == result.trials
    assert {trial.candidate for trial in seen} == {"plain", "reference", "target"}
    assert (fitted.candidate, fitted.threshold) == (best.candidate, best.threshold)
    again = _fit(stages, fitted.candidate)
    np.testing.assert_array_equal(fitted.predict_probabilities(stages["scaled_test"]), again.predict_probabilities(stages["scaled_test"]))


def test_score_gives_predictions_of_every_test_row_and_their_metrics(rows: pd.DataFrame) -> None:
    stages = _stages(rows, RANDOM)
    model = replace(_fit(stages, "plain"), threshold=0.3)

    predictions, metrics = score(stages["scaled_test"], model, DOMAIN)

    assert predictions["id"].tolist() == stages["test"]["id"].tolist()
    assert predictions["arrest"].tolist() == stages["test"]["arrest"].tolist()
    assert predictions["label"].tolist() == (predictions["probability"] >= 0.3).tolist()
    assert metrics == binary_metrics(predictions["arrest"].to_numpy(), predictions["probability"].to_numpy(), 0.3)


@pytest.mark.parametrize("candidate", ["plain", "reference", "target"])
@pytest.mark.parametrize("spec", [RANDOM, TEMPORAL], ids=["random", "temporal"])
def test_metrics_under_a_split_are_those_of_the_stages_one_by_one(rows: pd.DataFrame, spec: Split, candidate: str) -> None:
    stages = _stages(rows, spec)
    model = _fit(stages, candidate)

    assert metrics_under(rows, spec, model, DOMAIN) == score(stages["scaled_test"], model, DOMAIN)[1]


@pytest.mark.parametrize("used", [RANDOM, TEMPORAL], ids=["random", "temporal"])
def test_compare_splits_puts_the_other_split_beside_the_one_used(rows: pd.DataFrame, used: Split) -> None:
    stages = _stages(rows, used)
    model = _fit(stages, "plain")
    metrics = score(stages["scaled_test"], model, DOMAIN)[1]

    comparison = compare_splits(stages["train"], stages["test"], metrics_frame(metrics), model, DOMAIN)

    assert comparison["split"].tolist() == (["random", "temporal"] if used is RANDOM else ["temporal", "random"])
    assert list(comparison.columns) == ["split", *metrics]
    assert comparison.iloc[0, 1:].to_dict() == metrics
    assert comparison.iloc[1, 1:].to_dict() != metrics
    assert comparison.dtypes.drop("split").eq("float64").all()


def test_metrics_frame_keeps_the_order() -> None:
    frame = metrics_frame({"mcc": 0.5, "brier": 0.1})

    assert frame.to_dict("list") == {"metric": ["mcc", "brier"], "value": [0.5, 0.1]}


def test_raw_records_are_what_a_client_would_send(rows: pd.DataFrame) -> None:
    assert list(raw_records(rows, DOMAIN).columns) == [field.name for field in DOMAIN.request]


CLASSES = TabularDomain(
    name="soils",
    title="Soils",
    description="Three kinds of soil.",
    id_column="id",
    time_column="at",
    target="kind",
    request=(),
    features=Features(numeric=("height", "slope"), scaled=("height",)),
    candidates=(
        Candidate("trees", "", estimator="extra_trees", params={"n_estimators": 5}),
        Candidate("machine", "", estimator="svc", max_rows=100),
    ),
    cadence=Batches(count=3),
    classes={0: "Clay", 1: "Loam", 2: "Sand"},
    search=Search(trials=1, each=True, metric="macro_f1"),
)


@pytest.fixture(scope="module")
def soils() -> pd.DataFrame:
    """400 enriched soils; the kind depends on the height."""
    generator = np.random.default_rng(5)
    height, slope = generator.normal(size=(2, 400))
    kind = np.digitize(height + 0.1 * slope, (0.0, 1.0))
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(400), unit="min")
    return pd.DataFrame({"id": np.arange(400).astype(str), "at": at, "height": height, "slope": slope, "kind": kind})


def _soil_stages(soils: pd.DataFrame, spec: Split) -> dict[str, pd.DataFrame]:
    train, test = split(soils, spec, id_column="id", time_column="at", target="kind")
    encoder = FeatureEncoder(CLASSES.features, CLASSES.target, CLASSES.id_column)
    encoded = encoder.fit_transform(train)
    scaler = FrameScaler(CLASSES.features.scaled).fit(encoded)
    scaled_test = scaler.transform(encoder.transform(test))
    return {"train": train, "test": test, "scaled": scaler.transform(encoded), "scaled_test": scaled_test}


def test_classes_are_searched_fitted_and_scored_without_resampling(soils: pd.DataFrame) -> None:
    stages = _soil_stages(soils, RANDOM)

    fitted, result = search_and_fit(CLASSES, CLASSES.search, train=stages["scaled"])
    predictions, metrics = score(stages["scaled_test"], fitted, CLASSES)

    assert [(trial.candidate, trial.rows) for trial in result.best_of_each] == [("trees", 255), ("machine", 99)]
    assert fitted.classes == (0, 1, 2)
    assert list(predictions.columns) == ["id", "kind", "label", "probability_0", "probability_1", "probability_2"]
    assert predictions["id"].tolist() == stages["test"]["id"].tolist()
    assert predictions["kind"].tolist() == stages["test"]["kind"].tolist()
    assert predictions.dtypes[["kind", "label"]].eq("int64").all()
    probabilities = predictions.filter(like="probability_").to_numpy()
    assert predictions["label"].tolist() == probabilities.argmax(axis=1).tolist()
    assert metrics == multiclass_metrics(predictions["kind"].to_numpy(), probabilities, (0, 1, 2))
    assert metrics["macro_f1"] > 0.8


def test_classes_are_compared_under_both_splits(soils: pd.DataFrame) -> None:
    stages = _soil_stages(soils, RANDOM)
    other = _soil_stages(pd.concat([stages["train"], stages["test"]], ignore_index=True), TEMPORAL)
    model, _ = search_and_fit(CLASSES, replace(CLASSES.search, candidate="machine"), train=stages["scaled"])
    again, _ = search_and_fit(CLASSES, replace(CLASSES.search, trials=0, candidate="machine"), train=other["scaled"])
    metrics = score(stages["scaled_test"], model, CLASSES)[1]

    comparison = compare_splits(stages["train"], stages["test"], metrics_frame(metrics), model, CLASSES)

    assert again.rows <= 100 < again.available_rows
    assert comparison.set_index("split").to_dict("index") == {"random": metrics, "temporal": score(other["scaled_test"], again, CLASSES)[1]}


def test_compare_splits_leaves_out_a_split_that_rows_do_not_allow(soils: pd.DataFrame) -> None:
    stages = _soil_stages(soils.assign(at=pd.Timestamp("2026-01-01")), RANDOM)
    model, _ = search_and_fit(CLASSES, replace(CLASSES.search, trials=0), train=stages["scaled"])
    metrics = score(stages["scaled_test"], model, CLASSES)[1]

    comparison = compare_splits(stages["train"], stages["test"], metrics_frame(metrics), model, CLASSES)

    assert comparison.to_dict("records") == [{"split": "random", **metrics}]
