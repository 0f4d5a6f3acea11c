"""The code location: what loading it costs and leaves behind, and what it holds."""

import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from mlops_assets.definitions import build_defs, default_resources, defs
from mlops_assets.domain import ForecastDomain
from mlops_assets.domains import DOMAINS
from mlops_assets.partitions import partitions_of
from mlops_assets.resources.socrata import SocrataResource

PROBE = """
import json, os, sys

import filelock  # which Dagster imports, and which tries once what the temporary folder can do

writes, connections = [], []
OPENED_TO_WRITE = os.O_WRONLY | os.O_RDWR

def watch(event, arguments):
    if event == "open" and arguments[2] & OPENED_TO_WRITE and arguments[0] != os.devnull:
        writes.append(str(arguments[0]))
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.symlink"):
        writes.append(str(arguments[0]))
    elif event in ("socket.connect", "socket.bind", "socket.getaddrinfo"):
        connections.append(str(arguments))

sys.addaudithook(watch)
import mlops_assets.definitions
print(json.dumps({"writes": writes, "connections": connections, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""
HEAVY = {"pandas", "numpy", "mlflow", "sklearn", "pyarrow", "fsspec", "geopandas", "requests", "xgboost", "optuna", "matplotlib"} | {
    *(
        "sodapy",
        "duckdb",
        "adbc_driver_postgresql",
        "sqlglot",
        "onnx",
        "onnxruntime",
        "fastapi",
        "streamlit",
        "plotly",
        "statsforecast",
        "statsmodels",
    ),
}

JOBS = [
    *(f"{name}_{stage}" for name in DOMAINS for stage in ("ingest", "training")),
    *(f"{name}_forecast" for name, domain in DOMAINS.items() if isinstance(domain, ForecastDomain)),
    "monitoring",
]
MIRRORS = {"model_versions", "partition_rows"}

Asset = Any


@pytest.fixture(scope="module")
def loading(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What happens when a process without any environment loads the code location, a warning being an error."""
    command = [sys.executable, "-B", "-W", "error", "-c", PROBE]
    elsewhere = tmp_path_factory.mktemp("else where")
    done = subprocess.run(command, cwd=elsewhere, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(elsewhere.iterdir()) == []
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_loading_imports_nothing_heavy(loading: dict[str, list[str]]) -> None:
    assert HEAVY & set(loading["modules"]) == set()


def test_loading_writes_no_file_and_opens_no_connection(loading: dict[str, list[str]]) -> None:
    assert (loading["writes"], loading["connections"]) == ([], [])


def _assets() -> list[Asset]:
    graph = defs.resolve_asset_graph()
    return [graph.get(key) for key in sorted(graph.get_all_asset_keys())]


def test_every_input_is_an_asset_of_ours() -> None:
    assert defs.resolve_asset_graph().external_asset_keys == set()


@pytest.mark.parametrize("asset", _assets(), ids=lambda asset: asset.key.to_user_string())
def test_every_asset_says_what_it_is(asset: Asset) -> None:
    assert asset.description
    domain, stage = asset.key.path
    assert asset.group_name == domain
    assert asset.tags["stage"]
    assert asset.kinds
    assert asset.code_version
    if stage in MIRRORS:
        assert (asset.tags["stage"], asset.partitions_def) == ("monitoring", None)
    else:
        assert stage.startswith(asset.tags["stage"])
        assert asset.partitions_def == partitions_of(DOMAINS[domain].cadence)


def test_checks_say_what_they_hold_and_whether_they_block() -> None:
    graph = defs.resolve_asset_graph()
    checks = {(key.asset_key.path[0], key.name): graph.get(key) for key in graph.asset_check_keys}
    of_every_system = {"registered_model_reproduces_the_lineage": True, "challenger_beats_champion": True}
    own = {
        "chicago_crime": {
            "crimes_match_the_schema": True,
            "months_have_crimes": False,
            "stations_match_the_schema": True,
            "enriched_crimes_match_the_schema": True,
            "crimes_have_unique_ids": True,
        },
        "forest_cover": {
            "batches_have_the_api_shape": True,
            "samples_are_valid": True,
            "samples_are_unique": True,
            "enriched_match_the_schema": True,
        },
        "donostia_parking": {
            "readings_have_the_feed_shape": True,
            "readings_are_fresh": False,
            "feed_is_alive": True,
            "counts_are_plausible": False,
            "features_are_car_parks": False,
            "the_same_parkings_report": False,
            "feed_is_moving": False,
            "feed_is_not_frozen": True,
        },
    }

    assert {where: check.blocking for where, check in checks.items()} == {
        (domain, name): blocking for domain, known in own.items() for name, blocking in (known | of_every_system).items()
    }
    assert [where for where, check in checks.items() if not check.description] == []


def test_jobs_schedule_and_sensors_have_their_names() -> None:
    repository = defs.get_repository_def()

    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == set(JOBS)
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "chicago_crime_schedule",
        "donostia_parking_schedule",
        "monitoring_schedule",
    }
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "chicago_crime_revision_sensor",
        "chicago_crime_new_data_sensor",
        "forest_cover_batch_sensor",
        "forest_cover_new_data_sensor",
        "donostia_parking_new_data_sensor",
        "failure_alert",
    }


def test_every_asset_belongs_to_one_job_but_the_series_that_two_read() -> None:
    keys = Counter(key for name in JOBS for key in defs.resolve_job_def(name).asset_layer.executable_asset_keys)

    assert set(keys) == set(defs.resolve_all_asset_keys())
    assert {key.path[-1] for key, jobs in keys.items() if jobs > 1} == {"series"}


@pytest.mark.parametrize("job", [*JOBS, "__ASSET_JOB"])
def test_jobs_run_in_one_process(job: str) -> None:
    assert defs.resolve_job_def(job).executor_def is dg.in_process_executor


def test_definitions_can_be_loaded() -> None:
    dg.Definitions.validate_loadable(defs)


def test_build_defs_replaces_only_the_resources_named() -> None:
    other = SocrataResource(url="http://127.0.0.1:9")

    replaced = build_defs(resources={"socrata": other}).resources

    assert replaced is not None
    assert replaced["socrata"] is other
    assert (
        set(replaced)
        == set(default_resources())
        == {
            *("lake", "warehouse", "frames", "artifacts", "tables", "socrata", "forest_api", "donostia_api", "mlflow"),
        }
    )
    assert replaced["lake"] == default_resources()["lake"]
    assert defs.resources is not None
    assert defs.resources["socrata"] == SocrataResource()


def test_workspace_and_project_name_the_same_definitions() -> None:
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())["tool"]
    (location,) = yaml.safe_load((root / "workspace.yaml").read_text())["load_from"]

    assert (
        {"mlops_assets.definitions"}
        == {project["dg"]["project"]["code_location_target_module"], project["dagster"]["module_name"]}
        == {location["python_module"]["module_name"]}
    )
