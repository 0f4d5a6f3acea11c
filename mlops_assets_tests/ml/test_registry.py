"""Tests of the model registry: real MLflow, on SQLite and behind a real server."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from mlops_assets.domain import Method
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets.ml import registry
from mlops_assets.ml.engine import choose_engine
from mlops_assets.ml.forecast.model import ForecastModel
from mlops_assets.ml.logged_model import log_served_model
from mlops_assets.ml.provenance import FORECAST_LIBRARIES, PartitionRange, Provenance, library_versions
from mlops_assets.ml.registry import CHALLENGER, CHAMPION
from mlops_assets.ml.served import ServedModel

REQUEST = CHICAGO_CRIME.request
HOURS = {f"2022-05-{day:02d}T{hour:02d}": f"v{day}-{hour}" for day in (1, 2, 3) for hour in range(24)}
MODEL = "s3://models/none"
"""A source for versions whose files nobody reads."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a space in its name."""
    return tmp_path_factory.mktemp("my registry")


@pytest.fixture(scope="module")
def client(folder: Path) -> MlflowClient:
    """A client of a new SQLite database."""
    client = registry.connect(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
    registry.create_experiment(client, "chicago_crime", (folder / "artifacts").as_uri())
    return client


@pytest.fixture(scope="module")
def run_id(client: MlflowClient) -> str:
    """An open run in the experiment."""
    return str(client.create_run(client.get_experiment_by_name("chicago_crime").experiment_id).info.run_id)


@pytest.fixture(scope="module")
def model_uri(client: MlflowClient, served: ServedModel, run_id: str) -> str:  # the client sets the default registry
    """The served model, logged."""
    return str(log_served_model(served, run_id=run_id, request=REQUEST).model_uri)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """The address of a real MLflow server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    store = ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--artifacts-destination", str(folder / "server artifacts")]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *store, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(f"{address}/health", process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"{url} does not answer")


def _provenance(**changes: Any) -> Provenance:
    values: dict[str, Any] = {
        "dagster_run_id": "d-1",
        "partition": "2017-12",
        "code_version": "c-1",
        "git_commit": "abc123",
        "fingerprint": "f-1",
        "metrics": {"average_precision": 0.1 + 0.2, "mcc": -0.5},
        "upstream": {
            "chicago_crime/raw_crimes": {"2017-11": "v11", "2017-12": "v12"},
            "chicago_crime/raw_police_stations": {"2017-12": "s"},
        },
    }
    return Provenance(**values | changes)


def _register(client: MlflowClient, name: str, **changes: Any) -> int:
    return int(registry.register(client, name, MODEL, run_id="r" * 32, provenance=_provenance(**changes)).version)


def test_logged_model_takes_raw_records(model_uri: str, served: ServedModel, raw: pd.DataFrame, crimes: list[dict[str, Any]]) -> None:
    model = registry.load(model_uri)

    request = raw[[field.name for field in REQUEST]]
    pd.testing.assert_frame_equal(model.predict(request), served.predict(raw), check_exact=True)
    record = {name: value for name, value in crimes[0].items() if name != "arrest"}
    bare = {"date": record["date"], "domestic": None}
    pd.testing.assert_frame_equal(model.predict([record, bare]), served.predict([record, bare]))
    pd.testing.assert_frame_equal(model.predict(record), served.predict(record))


def test_load_served_gives_the_model_itself(model_uri: str, served: ServedModel, raw: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(registry.load_served(model_uri).predict(raw), served.predict(raw), check_exact=True)


def test_load_for_serving_runs_the_onnx_model_where_it_is_attached(
    client: MlflowClient, run_id: str, forest: ServedModel, cells: list[dict[str, Any]]
) -> None:
    engine = choose_engine(forest, pd.DataFrame(cells))
    plain = log_served_model(forest, run_id=run_id, request=FOREST_COVER.request)
    attached = log_served_model(forest, run_id=run_id, request=FOREST_COVER.request, engine=engine)
    version = registry.register(client, "served", attached.model_uri, run_id=run_id, provenance=_provenance())

    estimators = {
        uri: type(registry.load_for_serving(uri).model.estimator).__name__  # type: ignore[attr-defined]
        for uri in (plain.model_uri, attached.model_uri, f"models:/served/{version.version}")
    }

    assert list(estimators.values()) == ["RandomForestClassifier", "OnnxClassifier", "OnnxClassifier"]
    expected = forest.answer(cells)
    for uri in estimators:
        answer = registry.load_for_serving(uri).answer(cells)
        np.testing.assert_array_equal(answer.labels, expected.labels)
        np.testing.assert_allclose(answer.probabilities, expected.probabilities, rtol=0, atol=1e-6)
    pd.testing.assert_frame_equal(registry.load(attached.model_uri).predict(pd.DataFrame(cells)), forest.predict(cells), rtol=0, atol=1e-9)


def test_serving_loads_no_library_of_training(
    client: MlflowClient, run_id: str, folder: Path, forest: ServedModel, cells: list[dict[str, Any]]
) -> None:
    engine = choose_engine(forest, pd.DataFrame(cells))
    uri = log_served_model(forest, run_id=run_id, request=FOREST_COVER.request, engine=engine).model_uri
    code = (
        "import sys\n"
        "from mlops_assets.ml import registry\n"
        f"registry.connect('sqlite:///{folder / 'mlflow' / 'mlflow.db'}')\n"
        f"served = registry.load_for_serving({uri!r})\n"
        "from mlops_assets.domains.forest_cover.spec import FOREST_COVER\n"
        "records = [{field.name: field.example for field in FOREST_COVER.request}]\n"
        "served.answer(records), served.predict(records)\n"
        "print(' '.join(sys.modules))"
    )

    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())

    assert "onnxruntime" in loaded
    train_only = {"skl2onnx", "onnxmltools", "onnx", "optuna", "imblearn", "matplotlib", "dagster", "geopandas", "xgboost", "mlflow.pyfunc"}
    assert loaded & train_only == set()


def test_logged_model_of_classes_says_so_in_its_signature(client: MlflowClient, run_id: str, forest: ServedModel) -> None:
    signature = registry.load(log_served_model(forest, run_id=run_id, request=FOREST_COVER.request).model_uri).metadata.signature

    assert {spec.name: spec.type.name for spec in signature.outputs} == {
        "label": "long",
        **{f"probability_{n}": "double" for n in range(7)},
    }
    assert signature.inputs.required_input_names() == [field.name for field in FOREST_COVER.request]


def test_logged_forecaster_takes_a_history(client: MlflowClient, run_id: str) -> None:
    domain, hours = DONOSTIA_PARKING, pd.date_range("2024-01-01", periods=240, freq="h", tz="UTC")
    forecaster = ForecastModel.of(domain, Method("seasonal_naive_day", "Yesterday.", {"history_hours": 48}))
    free = pd.Series(100 + hours.hour.to_numpy() % 7, dtype=float)
    history = pd.concat([pd.DataFrame({"hour": hours, "parking_id": pd.array([key] * 240, "string"), "free": free}) for key in ("a", None)])
    expected = forecaster.forecast(history, created_at=datetime(2024, 1, 11, tzinfo=UTC)).rows

    uri = log_served_model(forecaster, run_id=run_id, request=domain.request).model_uri
    model = registry.load(uri)
    answer = model.predict(history.assign(hour=history["hour"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")))

    pd.testing.assert_frame_equal(answer, expected)
    assert registry.load_served(uri) == registry.load_for_serving(uri) == forecaster
    assert {spec.name: spec.type.name for spec in model.metadata.signature.outputs} == {
        "timestamp": "datetime",
        "parking_id": "string",
        "horizon": "long",
        "yhat": "double",
        "yhat_lower": "double",
        "yhat_upper": "double",
    }
    assert list(answer) == [spec.name for spec in model.metadata.signature.outputs]
    assert model.metadata.signature.inputs.required_input_names() == ["hour", "parking_id", "free"]
    example = model.input_example
    assert (len(example), example["hour"].nunique(), int(example["parking_id"].isna().sum())) == (6, 3, 3)
    assert len(model.predict(example)) == 2 * domain.horizon
    requirements = {line.partition("==")[0] for line in Path(registry.pyfunc().get_model_dependencies(uri)).read_text().split()}
    assert requirements == {"mlflow", *library_versions(FORECAST_LIBRARIES)}


def test_logged_model_carries_signature_example_requirements_and_code(model_uri: str, client: MlflowClient, run_id: str) -> None:
    model = registry.load(model_uri)
    files = Path(client.get_logged_model(model_uri.removeprefix("models:/")).artifact_location.removeprefix("file://").replace("%20", " "))

    inputs = model.metadata.signature.inputs
    assert inputs.required_input_names() == ["date"]
    assert inputs.input_names() == [field.name for field in REQUEST]
    assert {spec.name: spec.type.name for spec in model.metadata.signature.outputs} == {"probability": "double", "label": "boolean"}
    assert model.input_example.iloc[0].to_dict() == {field.name: field.example for field in REQUEST}
    requirements = (files / "requirements.txt").read_text().split()
    assert all("==" in requirement for requirement in requirements)
    assert {requirement.partition("==")[0] for requirement in requirements} == {"mlflow", *library_versions()}
    assert (files / "code" / "mlops_assets" / "ml" / "served.py").exists()
    assert yaml.safe_load((files / "MLmodel").read_text())["run_id"] == run_id
    assert not list(files.rglob("*.pkl"))


def test_logged_model_runs_where_the_package_is_not_installed(model_uri: str, client: MlflowClient, tmp_path: Path) -> None:
    files = client.get_logged_model(model_uri.removeprefix("models:/")).artifact_location
    code = (
        f"import mlflow.pyfunc; model = mlflow.pyfunc.load_model({files!r}); print(model.predict(model.input_example))\n"
        "import mlops_assets; print(mlops_assets.__file__)"
    )

    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "probability" in answer
    assert answer.endswith("code/mlops_assets/__init__.py\n")


def test_model_that_cannot_score_its_example_is_not_logged(client: MlflowClient, served: ServedModel, run_id: str) -> None:
    logged = len(client.search_logged_models([client.get_run(run_id).info.experiment_id]))

    with pytest.raises(ValueError, match="date is required"):
        log_served_model(served, run_id=run_id, request=REQUEST[:1])

    assert len(client.search_logged_models([client.get_run(run_id).info.experiment_id])) == logged


def test_trace_leads_from_a_version_to_its_partitions(client: MlflowClient) -> None:
    version = _register(client, "traced")
    registry.set_alias(client, "traced", CHALLENGER, version)
    registry.set_alias(client, "traced", CHAMPION, version)

    trace = registry.trace(client, "traced@challenger")

    assert (trace.name, trace.version, trace.aliases, trace.run_id) == ("traced", 1, ("challenger", "champion"), "r" * 32)
    assert trace.provenance == _provenance()
    assert registry.trace(client, "traced") == registry.trace(client, "traced/1") == trace


def test_versions_using_finds_a_partition_in_every_model_and_on_every_page(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PAGE", 2)
    asset, other = "paged/raw_crimes", "paged/raw_crimes_2"
    for number in range(5):
        _register(client, f"paged_{number % 2}", upstream={asset: {"2017-01": f"v{number}"}})
    _register(client, "paged_0", upstream={asset: {"2017-02": "v"}, other: {"2017-01": "v"}})

    found = registry.versions_using(client, asset, "2017-01")

    assert [(item.name, int(item.version)) for item in found] == [
        ("paged_0", 1),
        ("paged_1", 1),
        ("paged_0", 2),
        ("paged_1", 2),
        ("paged_0", 3),
    ]
    assert [int(item.version) for item in registry.versions_using(client, other, "2017-01")] == [4]
    assert registry.versions_using(client, asset, "2016-01") == []


def test_version_of_many_partitions_leads_back_to_each_of_them(client: MlflowClient, run_id: str) -> None:
    asset, other = "many/enriched", "many/raw_parking"
    upstream = {asset: HOURS, other: dict(list(HOURS.items())[:3])}
    version = registry.register(client, "many", MODEL, run_id=run_id, provenance=_provenance(upstream=upstream))

    found = registry.trace(client, f"many/{version.version}")

    assert found.provenance.upstream == {other: upstream[other]}
    assert found.provenance.ranges[asset] == PartitionRange.of(HOURS)
    assert registry.lineage(client, found) == upstream
    assert len([tag for tag in client.get_model_version("many", version.version).tags if "data_version" in tag]) == 4


def test_versions_using_finds_a_partition_inside_ranges_only_where_it_was_used(client: MlflowClient, run_id: str) -> None:
    asset = "ranged/enriched"
    gappy = {hour: f"{version}'" for hour, version in HOURS.items() if hour != "2022-05-02T10"}
    whole, with_gap = (
        int(registry.register(client, "ranged", MODEL, run_id=run_id, provenance=_provenance(upstream={asset: keys})).version)
        for keys in (HOURS, gappy)
    )
    single = _register(client, "ranged", upstream={asset: {"2022-05-02T10": "alone", "2022-05-09T10": "alone"}})

    uses = {
        hour: [(int(version.version), data_version) for version, data_version in registry.uses_of(client, asset, hour)]
        for hour in ("2022-05-02T10", "2022-05-02T11", "2022-04-30T23", "2022-05-09T10")
    }

    assert uses == {
        "2022-05-02T10": [(whole, "v2-10"), (single, "alone")],
        "2022-05-02T11": [(whole, "v2-11"), (with_gap, "v2-11'")],
        "2022-04-30T23": [],
        "2022-05-09T10": [(single, "alone")],
    }
    assert [int(version.version) for version in registry.versions_using(client, asset, "2022-05-02T10")] == [whole, single]


@pytest.mark.parametrize("content", [None, b"{}", b"not JSON"])
def test_range_that_cannot_be_read_is_named_and_its_version_not_left_out(
    client: MlflowClient, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    asset = f"lost/{'absent' if content is None else len(content)}"
    run = client.create_run(client.get_experiment_by_name("chicago_crime").experiment_id).info
    version = registry.register(client, "lost", MODEL, run_id=run.run_id, provenance=_provenance(upstream={asset: HOURS}))
    (file,) = (Path(url2pathname(urlsplit(run.artifact_uri).path)) / "lineage").iterdir()
    file.unlink() if content is None else file.write_bytes(content)

    with pytest.raises(registry.LineageError, match=f"of MLflow run {run.run_id} (cannot be read|is not what was stored)"):
        registry.lineage(client, registry.trace(client, f"lost/{version.version}"))

    assert [(item.version, data_version) for item, data_version in registry.uses_of(client, asset, "2022-05-02T10")] == [
        (version.version, "")
    ]
    assert f"lost version {version.version} may have used {asset} 2022-05-02T10" in caplog.text
    assert registry.uses_of(client, asset, "2023-05-02T10") == []


def test_versions_are_those_of_one_model(client: MlflowClient) -> None:
    for name in ("listed", "listed", "listed_too"):
        _register(client, name)

    assert [(item.name, int(item.version)) for item in registry.versions(client, "listed")] == [("listed", 1), ("listed", 2)]


def test_history_is_newest_first_with_aliases_and_times(client: MlflowClient) -> None:
    first, second = (_register(client, "historic", candidate=name) for name in ("a", "b"))
    registry.set_alias(client, "historic", CHAMPION, first)
    registry.set_alias(client, "historic", CHALLENGER, first)

    found = registry.history(client, "historic")

    assert [(item.version, item.aliases, item.provenance.candidate) for item in found] == [
        (second, (), "b"),
        (first, ("challenger", "champion"), "a"),
    ]
    assert found[0].created_at >= found[1].created_at
    assert (datetime.now(UTC) - found[1].created_at).total_seconds() < 3600
    assert registry.history(client, "unheard_of") == []


def test_versions_with_fingerprint_are_those_of_the_model_oldest_first(client: MlflowClient) -> None:
    for name in ("printed", "printed", "printed_too"):
        _register(client, name, fingerprint="same")
    _register(client, "printed", fingerprint="other")

    found = registry.versions_with_fingerprint(client, "printed", "same")

    assert [(version.name, int(version.version)) for version in found] == [("printed", 1), ("printed", 2)]
    assert registry.versions_with_fingerprint(client, "printed", "unknown") == []


def test_alias_moves(client: MlflowClient) -> None:
    first, second = (_register(client, "aliased") for _ in range(2))
    registry.set_alias(client, "aliased", CHAMPION, first)
    registry.set_alias(client, "aliased", CHAMPION, second)

    champion = registry.by_alias(client, "aliased", CHAMPION)

    assert champion is not None
    assert int(champion.version) == second
    assert registry.by_alias(client, "aliased", CHALLENGER) is None
    assert registry.by_alias(client, "nobody", CHAMPION) is None


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nobody@champion", r"no model version 'nobody@champion'; registered models: .*resolved"),
        ("resolved/7", r"resolved has versions: 1, 2; aliases: @challenger = 2"),
        ("resolved/one", "resolved has versions: 1, 2"),
        ("resolved@unknown", "aliases: @challenger = 2"),
        ("resolved", "no model version 'resolved'; .*aliases: @challenger = 2"),
    ],
)
def test_resolve_says_what_there_is(client: MlflowClient, reference: str, message: str) -> None:
    if registry.by_alias(client, "resolved", CHALLENGER) is None:
        _register(client, "resolved")
        registry.set_alias(client, "resolved", CHALLENGER, _register(client, "resolved"))

    with pytest.raises(LookupError, match=message):
        registry.resolve(client, reference)


def test_everything_works_behind_a_server(server: str, served: ServedModel, raw: pd.DataFrame) -> None:
    remote = registry.connect(server)
    registry.create_experiment(remote, "chicago_crime", None)
    run = remote.create_run(remote.get_experiment_by_name("chicago_crime").experiment_id)
    logged = log_served_model(served, run_id=run.info.run_id, request=REQUEST)
    version = registry.register(remote, "chicago_crime", logged.model_uri, run_id=run.info.run_id, provenance=_provenance())
    registry.set_alias(remote, "chicago_crime", CHAMPION, version.version)

    assert registry.trace(remote, "chicago_crime").provenance == _provenance()
    assert [item.name for item in registry.versions_using(remote, "chicago_crime/raw_crimes", "2017-11")] == ["chicago_crime"]
    assert registry.by_alias(remote, "chicago_crime", CHALLENGER) is None
    with pytest.raises(LookupError, match="chicago_crime has versions: 1; aliases: @champion = 1"):
        registry.resolve(remote, "chicago_crime/2")
    model = registry.load("models:/chicago_crime@champion")
    pd.testing.assert_frame_equal(model.predict(raw[[field.name for field in REQUEST]]), served.predict(raw))
