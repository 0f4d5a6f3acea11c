"""`mlops-assets models` on a real registry."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.ml import champions, registry
from mlops_assets.ml.forecast.model import ForecastModel
from mlops_assets.ml.provenance import PartitionRange, Provenance
from mlops_assets.ml.release import judge_method, register_method

Command = Callable[..., Any]
RAW, ENRICHED = "chicago_crime/raw_crimes", "chicago_crime/enriched"
HOURS = {f"2022-05-{day:02d}T{hour:02d}": f"v{day}-{hour}" for day in (1, 2, 3) for hour in range(24)}


def _provenance(month: str, value: float) -> Provenance:
    return Provenance(
        dagster_run_id=f"dagster-{month}",
        partition=month,
        code_version="c0de",
        git_commit="abc123",
        fingerprint=month,
        metrics={"average_precision": value},
        upstream={RAW: {"2017-11": "raw11", month: "raw"}, ENRICHED: {month: "enriched"}},
        library_versions={"xgboost": "3.2"},
    )


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables."""
    database = tmp_path_factory.mktemp("empty") / "mlflow.db"
    registry.connect(f"sqlite:///{database}")
    return database


@pytest.fixture
def database(home: Path, empty_database: Path) -> str:
    """The registry of the test's home, without any model."""
    path = home / "mlflow" / "mlflow.db"
    path.parent.mkdir(parents=True)
    shutil.copy(empty_database, path)
    return f"sqlite:///{path}"


@pytest.fixture
def two_versions(database: str) -> None:
    """Version 1 is champion, version 2 challenger."""
    client = registry.connect(database)
    for alias, month, value in (("champion", "2017-12", 0.75), ("challenger", "2018-01", 0.7)):
        version = registry.register(client, "chicago_crime", "file:///nowhere", run_id="r" * 32, provenance=_provenance(month, value))
        registry.set_alias(client, "chicago_crime", alias, version.version)


def test_list_of_an_empty_registry_says_how_to_get_a_model(cli: Command, database: str) -> None:
    ended = cli("models", "list")

    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "no model is registered yet; `mlops-assets run` makes one\n"


def test_list_has_a_line_for_each_version(cli: Command, two_versions: None) -> None:
    ended = cli("models", "list")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "chicago_crime version 1 @champion  trained for 2017-12  average_precision 0.7500",
        "chicago_crime version 2 @challenger  trained for 2018-01  average_precision 0.7000",
    ]


@pytest.fixture
def hourly_version(database: str, home: Path) -> str:
    """The id of the MLflow run of a version that was made from three days of hours."""
    client = registry.connect(database)
    registry.create_experiment(client, "hours", (home / "artifacts").as_uri())
    run_id = client.create_run(client.get_experiment_by_name("hours").experiment_id).info.run_id
    provenance = replace(_provenance("2022-05-03T23", float("nan")), upstream={RAW: HOURS, ENRICHED: HOURS})
    registry.register(client, "chicago_crime", "file:///nowhere", run_id=run_id, provenance=provenance)
    return str(run_id)


def test_list_says_where_the_gate_metric_was_not_measured(cli: Command, hourly_version: str) -> None:
    assert cli("models", "list").out == "chicago_crime version 1  trained for 2022-05-03T23  average_precision not measured\n"


def test_trace_has_a_line_for_many_partitions_and_all_of_them_when_asked(cli: Command, hourly_version: str) -> None:
    short, whole = (cli("models", "trace", "chicago_crime/1", *option).out.splitlines() for option in ([], ["--all"]))

    digest = PartitionRange.of(HOURS).digest
    assert short[-1] == f"  {RAW}  2022-05-01T00..2022-05-03T23  72 partitions, digest {digest}"
    assert short[-2] == "upstream partitions (asset, partition, data version):"
    assert whole[-144:] == [f"  {asset}  {hour}  {version}" for asset in (ENRICHED, RAW) for hour, version in HOURS.items()]


def test_using_looks_into_ranges_and_says_where_one_cannot_be_read(cli: Command, hourly_version: str, home: Path) -> None:
    found = cli("models", "using", RAW, "2022-05-02T10").out
    shutil.rmtree(home / "artifacts" / hourly_version / "artifacts" / "lineage")
    lost = cli("models", "using", RAW, "2022-05-02T10").out

    line = "chicago_crime version 1  trained for 2022-05-03T23"
    assert (found, lost) == (f"{line}  from v2-10\n", f"{line}  from a range that cannot be read any more\n")
    ended = cli("models", "trace", "chicago_crime/1", "--all")
    assert ended.code == 2
    assert f"of MLflow run {hourly_version} cannot be read" in ended.err


@pytest.fixture
def two_methods(database: str, home: Path) -> MlflowClient:
    """Version 1 was champion before version 2, which is; both can be loaded."""
    client = registry.connect(database)
    registry.create_experiment(client, "methods", (home / "artifacts").as_uri())
    run_id = client.create_run(client.get_experiment_by_name("methods").experiment_id).info.run_id
    for method in DONOSTIA_PARKING.methods[:2]:
        model = ForecastModel.of(DONOSTIA_PARKING, method)
        version, _ = register_method(client, DONOSTIA_PARKING, model, run_id=run_id, provenance=_provenance("2022-05-03T23", 1.0))
        champions.promote(client, DONOSTIA_PARKING.model_name, version.version)
    return client


def test_rollback_gives_the_alias_back_and_no_run_promotes_the_withdrawn_version(cli: Command, two_methods: MlflowClient) -> None:
    name = DONOSTIA_PARKING.model_name

    ended = cli("models", "rollback", "donostia_parking", "--because", "counts of a closed car park")

    assert (ended.code, ended.out) == (0, f"{name}@champion is version 1 again; version 2 is withdrawn\n")
    assert registry.resolve(two_methods, name).version == 1
    verdict = judge_method(two_methods, DONOSTIA_PARKING, "2", {"mase": 0.1, "mae": 1.0}, pd.DataFrame(), created_at=datetime.now(UTC))
    assert not verdict.decision.promote
    assert "counts of a closed car park" in verdict.decision.reason
    with pytest.raises(ValueError, match="version 2 was withdrawn by hand"):
        champions.promote(two_methods, name, 2)
    assert "withdrawn " in cli("models", "list").out.splitlines()[1]
    assert "  withdrawn: " in cli("models", "trace", "donostia_parking/2").out
    again = cli("models", "rollback", "donostia_parking", "--because", "once more")
    assert again.code == 2
    assert "version 1 took nobody's place" in again.err


def test_rollback_never_ends_at_a_withdrawn_version(cli: Command, two_methods: MlflowClient) -> None:
    cli("models", "promote", "donostia_parking/1")
    assert cli("models", "rollback", "donostia_parking", "--because", "worse").code == 0
    assert registry.resolve(two_methods, DONOSTIA_PARKING.model_name).version == 2

    ended = cli("models", "rollback", "donostia_parking", "--because", "worse still")

    assert ended.code == 2
    assert "took nobody's place" in ended.err
    assert registry.resolve(two_methods, DONOSTIA_PARKING.model_name).version == 2


def test_promote_by_hand_takes_a_withdrawn_version_back_in(cli: Command, two_methods: MlflowClient) -> None:
    cli("models", "rollback", "donostia_parking", "--because", "a mistake")

    ended = cli("models", "promote", "donostia_parking/2")

    assert (ended.code, ended.out) == (0, f"{DONOSTIA_PARKING.model_name}@champion is version 2\n")
    found = registry.resolve(two_methods, DONOSTIA_PARKING.model_name)
    assert (found.version, champions.WITHDRAWN in found.tags) == (2, False)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("chicago_crime", "which version of chicago_crime?"),
        ("chicago_crime/9", "has versions: 1, 2"),
        ("chicago_crime/2", "version 2 cannot be loaded, nothing is changed"),
    ],
)
def test_promote_refuses_what_it_cannot_promote(cli: Command, two_versions: None, reference: str, message: str) -> None:
    ended = cli("models", "promote", reference)

    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert "version 1 @champion" in cli("models", "list").out


@pytest.mark.parametrize("reference", ["chicago_crime", "chicago_crime@champion", "chicago_crime/1"])
def test_trace_leads_back_to_the_raw_partitions(cli: Command, two_versions: None, reference: str) -> None:
    ended = cli("models", "trace", reference)

    assert ended.code == 0
    assert ended.out.splitlines() == [
        "chicago_crime version 1 @champion",
        "  partition: 2017-12",
        "  Dagster run: dagster-2017-12",
        f"  MLflow run: {'r' * 32}",
        "  code version: c0de",
        "  git commit: abc123",
        "  libraries: xgboost 3.2",
        "  metrics: average_precision 0.7500",
        "upstream partitions (asset, partition, data version):",
        f"  {RAW}  2017-11  raw11",
        f"  {RAW}  2017-12  raw",
    ]


def test_trace_shows_every_stage_when_asked(cli: Command, two_versions: None) -> None:
    assert f"  {ENRICHED}  2018-01  enriched" in cli("models", "trace", "chicago_crime/2", "--all").out.splitlines()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("bitcoin", "no model version 'bitcoin'; registered models: chicago_crime"),
        (
            "chicago_crime@best",
            "no model version 'chicago_crime@best'; chicago_crime has versions: 1, 2; aliases: @challenger = 2, @champion = 1",
        ),
        ("chicago_crime/7", "no model version 'chicago_crime/7'; chicago_crime has versions: 1, 2"),
    ],
)
def test_trace_of_what_is_not_there_says_what_is(cli: Command, two_versions: None, reference: str, message: str) -> None:
    ended = cli("models", "trace", reference)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"mlops-assets: {message}")


def test_using_names_every_version_made_from_a_partition(cli: Command, two_versions: None) -> None:
    ended = cli("models", "using", RAW, "2017-11")

    assert ended.code == 0
    assert ended.out.splitlines() == [
        "chicago_crime version 1 @champion  trained for 2017-12  from raw11",
        "chicago_crime version 2 @challenger  trained for 2018-01  from raw11",
    ]
    assert cli("models", "using", ENRICHED, "2018-01").out == "chicago_crime version 2 @challenger  trained for 2018-01  from enriched\n"


@pytest.mark.parametrize(("asset", "partition"), [(RAW, "2015-01"), ("chicago_crime/raw", "2017-11"), (RAW, "2017")])
def test_using_of_what_no_version_used_ends_with_1(cli: Command, two_versions: None, asset: str, partition: str) -> None:
    ended = cli("models", "using", asset, partition)

    assert (ended.code, ended.out, ended.err) == (1, "", f"no registered version used {asset} {partition}\n")


def test_using_of_what_cannot_be_a_partition_ends_with_2(cli: Command, two_versions: None) -> None:
    ended = cli("models", "using", RAW, "2017.11")

    assert (ended.code, ended.out) == (2, "")
    assert "partition '2017.11'" in ended.err
