"""Prometheus' files, judged by its own tool: the scrape config, and every alert rule by a series that makes it fire."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy/prometheus"


@pytest.fixture
def promtool() -> str:
    """The command."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on PATH (Debian: apt-get install --no-install-recommends prometheus)")
    return found


def _run(*command: str) -> tuple[int, str]:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_prometheus_takes_the_config_and_its_rules(promtool: str) -> None:
    code, said = _run(promtool, "check", "config", "prometheus.yml")

    assert code == 0, said
    assert "1 rule files found" in said


def test_every_rule_fires_on_its_fault_and_only_then(promtool: str) -> None:
    code, said = _run(promtool, "test", "rules", "tests/mlops_api.yml")

    assert code == 0, said


def test_every_rule_is_tested_both_firing_and_silent() -> None:
    rules = yaml.safe_load((FOLDER / "rules/mlops_api.yml").read_text())["groups"]
    cases = [case for test in yaml.safe_load((FOLDER / "tests/mlops_api.yml").read_text())["tests"] for case in test["alert_rule_test"]]
    names = {rule["alert"] for group in rules for rule in group["rules"]}

    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names
    readme = (FOLDER.parent / "README.md").read_text()
    assert {name for name in names if f"`{name}`" not in readme} == set()


def test_the_scrape_job_is_the_one_that_rules_name() -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (targets,) = yaml.safe_load((FOLDER / "targets/mlops_api.yml").read_text())

    assert (job["job_name"], job["metrics_path"]) == ("mlops_api", "/metrics")
    assert job["file_sd_configs"] == [{"files": ["targets/*.yml"]}]
    assert targets["targets"]
