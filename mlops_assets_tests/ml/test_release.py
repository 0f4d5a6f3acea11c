"""Registering a challenger and judging it: real MLflow on SQLite."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from mlops_assets.domain import Backtest, ForecastDomain, Gates, Hourly, Method, RequestField, Split
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets.ml import registry
from mlops_assets.ml.evaluate import binary_metrics
from mlops_assets.ml.forecast.model import ForecastModel, compare
from mlops_assets.ml.provenance import Provenance, library_versions
from mlops_assets.ml.release import Verdict, judge, judge_method, register_challenger, register_method
from mlops_assets.ml.served import ServedModel
from mlops_assets.ml.task import task_of

METHODS = (Method("seasonal_naive_day", "Yesterday."), Method("hour_of_day_mean", "The mean."), Method("last_value", "Now."))
BUSES = ForecastDomain(
    name="buses",
    title="Buses",
    description="Free seats.",
    cadence=Hourly(start="2024-01-01T00", window=10 * 24),
    id_column="line",
    time_column="hour",
    target="seats",
    total="all lines",
    request=(
        RequestField("hour", "string", "Hour.", "2024-01-01T08:00:00Z", required=True),
        RequestField("line", "string", "Line.", "7", required=True, nullable=True),
        RequestField("seats", "double", "Seats.", 12.0, required=True, nullable=True),
    ),
    methods=METHODS,
    gates=Gates(metric="mase", better="less", maximum={"mase": 2.0}),
    backtest=Backtest(cutoffs=4, step=24, min_cutoffs=3),
)
NOW = datetime(2024, 1, 11, tzinfo=UTC)

DOMAIN = replace(CHICAGO_CRIME, gates=Gates(minimum={"roc_auc": 0.5}))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    """A client of a new database."""
    folder = tmp_path_factory.mktemp("release")
    client = registry.connect(f"sqlite:///{folder / 'mlflow.db'}")
    registry.create_experiment(client, DOMAIN.name, (folder / "artifacts").as_uri())
    return client


@pytest.fixture(scope="module")
def run_id(client: MlflowClient) -> str:
    """An open run in the experiment."""
    return str(client.create_run(client.get_experiment_by_name(DOMAIN.name).experiment_id).info.run_id)


def _provenance(version: str = "v1") -> Provenance:
    return Provenance(
        dagster_run_id="d",
        partition="2017-12",
        code_version="c",
        git_commit="g",
        fingerprint="",
        upstream={"chicago_crime/raw_crimes": {"2017-12": version}},
    )


@pytest.fixture(scope="module")
def first(client: MlflowClient, served: ServedModel, raw: pd.DataFrame, run_id: str) -> str:
    """The first version."""
    version, is_new = register_challenger(client, DOMAIN, served, run_id=run_id, provenance=_provenance(), held_out=raw)
    assert is_new
    return str(version.version)


def _metrics(served: ServedModel, rows: pd.DataFrame) -> dict[str, float]:
    return binary_metrics(rows["arrest"].to_numpy(bool), served.predict(rows)["probability"].to_numpy(), served.model.threshold)


def test_register_challenger_keeps_an_identical_version(
    client: MlflowClient, served: ServedModel, raw: pd.DataFrame, run_id: str, first: str
) -> None:
    version, is_new = register_challenger(client, DOMAIN, served, run_id=run_id, provenance=_provenance(), held_out=raw)

    assert (str(version.version), is_new) == (first, False)
    assert [str(item.version) for item in registry.versions(client, DOMAIN.name)] == [first]
    challenger = registry.by_alias(client, DOMAIN.name, registry.CHALLENGER)
    assert challenger is not None
    assert str(challenger.version) == first
    assert client.get_model_version(DOMAIN.name, first).tags["fingerprint"]


def test_register_challenger_makes_a_version_for_other_data_or_another_model(
    client: MlflowClient,
    served: ServedModel,
    raw: pd.DataFrame,
    crimes: list[dict[str, Any]],
    refit: Callable[..., ServedModel],
    run_id: str,
    first: str,
) -> None:
    other_data, _ = register_challenger(client, DOMAIN, served, run_id=run_id, provenance=_provenance("v2"), held_out=raw)
    other_model, is_new = register_challenger(client, DOMAIN, refit(crimes[:200]), run_id=run_id, provenance=_provenance(), held_out=raw)

    assert is_new
    assert len({first, str(other_data.version), str(other_model.version)}) == 3
    challenger = registry.by_alias(client, DOMAIN.name, registry.CHALLENGER)
    assert challenger is not None
    assert str(challenger.version) == str(other_model.version)


def test_version_of_several_classes_is_registered_judged_and_served(
    client: MlflowClient, forest: ServedModel, cells: list[dict[str, Any]], fit_forest: Callable[..., ServedModel], run_id: str
) -> None:
    rows, domain = pd.DataFrame(cells), FOREST_COVER
    version, is_new = register_challenger(client, domain, forest, run_id=run_id, provenance=_provenance(), held_out=rows)
    registry.set_alias(client, domain.model_name, registry.CHAMPION, version.version)
    found = registry.trace(client, f"{domain.model_name}@champion")
    task = task_of(domain)
    champion = task.metrics(task.labels(rows["cover_type"]), forest.answer(cells).probabilities, 0.0)

    verdict = judge(client, domain, "99", champion | {"macro_f1": champion["macro_f1"] + 0.01}, rows)

    assert (is_new, version.name, found.provenance.serving_engine) == (True, "forest-cover-classifier", "onnx")
    assert (found.provenance.candidate, found.provenance.params) == ("random_forest", {"n_estimators": 15, "max_depth": 6})
    assert found.provenance.features == tuple(forest.model.columns)
    assert (verdict.decision.promote, verdict.champion_version) == (True, str(version.version))
    assert verdict.champion == pytest.approx(champion)
    assert registry.load_for_serving(f"models:/{domain.model_name}/{version.version}").answer(cells[:1]).labels.dtype == np.int64


def test_judge_without_a_champion_asks_the_gates_only(client: MlflowClient, served: ServedModel, raw: pd.DataFrame) -> None:
    metrics = _metrics(served, raw)

    good = judge(client, replace(DOMAIN, name="nobody"), "1", metrics, raw)
    bad = judge(client, replace(DOMAIN, name="nobody", gates=Gates(minimum={"roc_auc": 1.0})), "1", metrics, raw)

    assert (good.decision.promote, good.champion, good.champion_version) == (True, None, None)
    assert (bad.decision.promote, "roc_auc" in bad.decision.reason) == (False, True)


def test_judge_scores_the_champion_on_the_same_rows(client: MlflowClient, served: ServedModel, raw: pd.DataFrame, first: str) -> None:
    registry.set_alias(client, DOMAIN.name, registry.CHAMPION, first)
    rows = raw.iloc[:200]
    champion = _metrics(served, rows)
    better = champion | {"average_precision": champion["average_precision"] + 0.01}

    assert judge(client, DOMAIN, "99", better, rows).decision.promote
    verdict = judge(client, DOMAIN, "99", champion, rows)

    assert not verdict.decision.promote
    assert (verdict.version, verdict.champion_version, verdict.champion) == ("99", first, champion)


def test_judge_does_not_compare_with_a_champion_trained_under_another_split(
    client: MlflowClient, raw: pd.DataFrame, served: ServedModel
) -> None:
    domain = replace(DOMAIN, name="moved")
    provenance = replace(_provenance(), split=Split("random").to_json())
    champion = registry.register(client, domain.name, Path("/nowhere/model").as_uri(), run_id="r" * 32, provenance=provenance)
    registry.set_alias(client, domain.name, registry.CHAMPION, champion.version)
    temporal = raw.assign(split=Split("temporal").to_json())

    verdict = judge(client, domain, "99", {"average_precision": 1.0, "roc_auc": 1.0, "mcc": 1.0}, temporal)

    assert not verdict.decision.promote
    assert "another split" in verdict.decision.reason
    assert verdict.champion is None


def test_register_challenger_registers_anew_where_the_artifacts_of_the_version_are_gone(
    client: MlflowClient, served: ServedModel, raw: pd.DataFrame, run_id: str
) -> None:
    domain = replace(DOMAIN, name="emptied")
    lost, _ = register_challenger(client, domain, served, run_id=run_id, provenance=_provenance(), held_out=raw)
    rmtree(Path(mlflow.artifacts.download_artifacts(f"models:/{domain.model_name}/{lost.version}")))

    found, is_new = register_challenger(client, domain, served, run_id=run_id, provenance=_provenance(), held_out=raw)

    assert is_new
    assert found.version != lost.version


def test_judge_lets_the_champion_itself_pass_without_loading_it(client: MlflowClient, raw: pd.DataFrame) -> None:
    domain = replace(DOMAIN, name="gone")
    _champion_without_files(client, domain.name)

    verdict = judge(client, domain, "1", {"average_precision": 0.1, "roc_auc": 0.1}, raw)

    assert verdict.decision.promote
    assert verdict.decision.reason == "it is the champion already, unchanged"


def test_judge_stops_where_the_champion_cannot_be_loaded(client: MlflowClient, raw: pd.DataFrame) -> None:
    domain = replace(DOMAIN, name="lost")
    _champion_without_files(client, domain.name)

    with pytest.raises(RuntimeError, match=r"the champion lost version 1 cannot be loaded.*Restore its artifacts, or give @champion"):
        judge(client, domain, "2", {"average_precision": 0.9, "roc_auc": 0.9}, raw)


def _champion_without_files(client: MlflowClient, name: str) -> None:
    source = Path("/nowhere/model").as_uri()
    version = registry.register(client, name, source, run_id="r" * 32, provenance=_provenance())
    registry.set_alias(client, name, registry.CHAMPION, version.version)


def _seats(days: float) -> pd.DataFrame:
    """A day like the other, but for noise, up to `NOW`: two lines and their total."""
    count = int(days * 24)
    hours = pd.date_range(end=NOW - timedelta(hours=1), periods=count, freq="h")
    noise = np.random.default_rng(1).normal(0, 3, (2, count))
    lines = [100 + 50 * np.sin(hours.hour.to_numpy() * np.pi / 12) + line for line in noise]
    series = {"7": lines[0], "8": lines[1], None: lines[0] + lines[1]}
    return pd.concat(
        [pd.DataFrame({"hour": hours, "line": pd.array([key] * count, "string"), "seats": seats}) for key, seats in series.items()]
    )


def _choose(client: MlflowClient, run_id: str, domain: ForecastDomain, method: Method, **changes: Any) -> str:
    model = replace(ForecastModel.of(domain, method), **changes)
    return str(register_method(client, domain, model, run_id=run_id, provenance=_provenance())[0].version)


def _judge_method(client: MlflowClient, domain: ForecastDomain, version: str, method: Method, history: pd.DataFrame) -> Verdict:
    scores = compare(history, [method], domain, created_at=NOW).scores
    metrics = asdict(scores) if scores else {"mae": None, "mase": None}
    return judge_method(client, domain, version, metrics, history, created_at=NOW)


def test_method_is_one_version_whatever_it_was_chosen_on(client: MlflowClient, run_id: str) -> None:
    model = ForecastModel.of(BUSES, METHODS[0])
    first, is_first_new = register_method(client, BUSES, model, run_id=run_id, provenance=_provenance())
    again, is_again_new = register_method(client, BUSES, model, run_id=run_id, provenance=_provenance("v2"))
    other = _choose(client, run_id, BUSES, replace(METHODS[0], params={"history_hours": 48}))
    found = registry.trace(client, f"buses/{first.version}").provenance

    assert (is_first_new, is_again_new, again.version) == (True, False, first.version)
    assert other != str(first.version)
    assert (found.candidate, found.params, found.serving_engine, found.features) == ("seasonal_naive_day", {}, "", ())
    assert found.upstream["chicago_crime/raw_crimes"] == {"2017-12": "v1"}
    assert "statsforecast" in found.library_versions
    assert "statsforecast" not in library_versions()
    assert registry.by_alias(client, "buses", registry.CHALLENGER).version == int(other)  # type: ignore[union-attr]


def test_judge_method_scores_the_champion_on_the_same_cutoffs(client: MlflowClient, run_id: str) -> None:
    domain, history, (day, mean, last) = replace(BUSES, name="trams"), _seats(10), METHODS
    by_method = {method.name: _choose(client, run_id, domain, method) for method in METHODS}

    first = _judge_method(client, domain, by_method[day.name], day, history)
    registry.set_alias(client, domain.name, registry.CHAMPION, by_method[day.name])
    same = _judge_method(client, domain, by_method[day.name], day, history)
    better = _judge_method(client, domain, by_method[mean.name], mean, history)
    worse = _judge_method(client, domain, by_method[last.name], last, history)

    assert (first.decision.promote, first.champion) == (True, None)
    assert (same.decision.promote, same.decision.reason) == (True, "it is the champion already, unchanged")
    assert better.champion == first.challenger == pytest.approx({"mae": 6, "mase": 1, "cutoffs": 4, "points": 96}, rel=0.5)
    assert (better.champion["cutoffs"], better.champion["points"]) == (better.challenger["cutoffs"], better.challenger["points"]) == (4, 96)
    mase, theirs = better.challenger["mase"], better.champion["mase"]
    assert (better.decision.promote, better.decision.reason) == (
        True,
        f"mase {mase:.4f} against the champion's {theirs:.4f} on the same cutoffs",
    )
    assert not worse.decision.promote
    assert worse.decision.reason == f"mase {worse.challenger['mase']:.4f} is above 2"


def test_judge_method_with_too_little_history_takes_the_first_champion_only(client: MlflowClient, run_id: str) -> None:
    domain, history, (day, _, last) = replace(BUSES, name="ferries"), _seats(2), METHODS
    challenger, other = _choose(client, run_id, domain, last), _choose(client, run_id, domain, day)

    first = _judge_method(client, domain, challenger, last, history)
    registry.set_alias(client, domain.name, registry.CHAMPION, challenger)
    later = _judge_method(client, domain, other, day, history)

    assert (first.decision.promote, first.decision.reason) == (True, "the first champion: mase cannot be measured yet")
    assert (first.challenger, first.champion) == ({}, None)
    assert (later.decision.promote, "only the first champion" in later.decision.reason) == (False, True)


def test_judge_method_lets_the_champions_method_pass_with_new_constants(client: MlflowClient, run_id: str) -> None:
    domain, history, (day, *_) = replace(BUSES, name="planes"), _seats(10), METHODS
    registry.set_alias(client, domain.name, registry.CHAMPION, _choose(client, run_id, domain, day, coverage=0.5))
    version = _choose(client, run_id, domain, day)

    verdict = _judge_method(client, domain, version, day, history)
    strict = _judge_method(client, replace(domain, gates=replace(domain.gates, maximum={"mase": 0.01})), version, day, history)

    assert (verdict.decision.promote, verdict.decision.reason) == (True, "the champion's method, with the system's present constants")
    assert (strict.decision.promote, "is above 0.01" in strict.decision.reason) == (False, True)


def test_judge_method_stops_where_the_champion_cannot_be_loaded(client: MlflowClient, run_id: str) -> None:
    domain, history = replace(BUSES, name="wrecks"), _seats(10)
    _champion_without_files(client, domain.name)
    version = _choose(client, run_id, domain, METHODS[0])

    with pytest.raises(RuntimeError, match=r"the champion wrecks version 1 cannot be loaded.*Restore its artifacts, or give @champion"):
        _judge_method(client, domain, version, METHODS[0], history)
