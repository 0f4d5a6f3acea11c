"""The values of Dagster's Helm chart and the manifests beside it, against our own settings, images and the other deployment's instance.

The chart's own schema and templates judge the values in the workflow `ci`, which has helm.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.settings import Settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MANIFESTS = [document for file in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for document in yaml.safe_load_all(file.read_text())]
OTHERS = {
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_DISABLE_TELEMETRY",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_USERNAME",
}
"""Read by libraries, not by `Settings`."""
SECRET_KEYS = re.compile(r"(?i)(password|secret|token|access_?key)$")


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """The chart's values."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "helm/values.yaml").read_text())
    return found


@pytest.fixture(scope="module")
def instance() -> dict[str, Any]:
    """The Dagster instance of the deployment with compose."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "dagster/dagster.yaml").read_text())
    return found


def _code_server(values: dict[str, Any]) -> dict[str, Any]:
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    found: dict[str, Any] = deployment
    return found


def _run_launcher(values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = values["runLauncher"]["config"]["k8sRunLauncher"]
    return found


def _pods(values: dict[str, Any]) -> dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """By name: the pod's security context, the container's, and the resources, of everything that we start."""
    found = {
        "webserver": values["dagsterWebserver"],
        "daemon": values["dagsterDaemon"],
        "code server": _code_server(values),
    }
    pods = {name: (pod["podSecurityContext"], pod["securityContext"], pod["resources"]) for name, pod in found.items()}
    runs = _run_launcher(values)
    pods["runs"] = (runs["runK8sConfig"]["podSpecConfig"]["securityContext"], runs["securityContext"], runs["resources"])
    for workload, spec in _workloads():
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            pods[f"{workload}/{container['name']}"] = (spec["securityContext"], container["securityContext"], container["resources"])
    return pods


def _workloads() -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in MANIFESTS:
        if manifest["kind"] in ("Deployment", "Job"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


def _scalars(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _scalars(value, f"{path}.{key}")
    elif isinstance(node, list):
        for item in node:
            yield from _scalars(item, path)
    else:
        yield path, node


def test_pools_queue_retries_and_retention_are_those_of_the_other_deployment(values: dict[str, Any], instance: dict[str, Any]) -> None:
    daemon, pools = values["dagsterDaemon"], values["concurrency"]["pools"]

    assert values["concurrency"]["enabled"]
    assert {"granularity": pools["granularity"], "default_limit": pools["defaultLimit"]} == instance["concurrency"]["pools"]
    assert values["concurrency"]["runs"]["maxConcurrentRuns"] >= instance["concurrency"]["runs"]["max_concurrent_runs"]
    assert daemon["runRetries"]["maxRetries"] == instance["run_retries"]["max_retries"]
    assert daemon["runRetries"]["retryOnAssetOrOpFailure"] is instance["run_retries"]["retry_on_asset_or_op_failure"] is False
    for ours, theirs in {"startTimeoutSeconds": "start_timeout_seconds", "maxRuntimeSeconds": "max_runtime_seconds"}.items():
        assert daemon["runMonitoring"][ours] == instance["run_monitoring"][theirs]
    assert values["retention"]["schedule"]["purgeAfterDays"] == instance["retention"]["schedule"]["purge_after_days"]
    assert instance["retention"]["sensor"]["purge_after_days"].items() <= values["retention"]["sensor"]["purgeAfterDays"].items()
    assert values["telemetry"]["enabled"] is instance["telemetry"]["enabled"] is False


def test_compute_logs_lie_where_the_other_deployment_keeps_them(values: dict[str, Any], instance: dict[str, Any]) -> None:
    theirs = instance["compute_logs"]["config"]
    ours = values["computeLogManager"]["config"]["s3ComputeLogManager"]

    assert values["computeLogManager"]["type"] == instance["compute_logs"]["class"] == "S3ComputeLogManager"
    assert (ours["bucket"], ours["prefix"]) == (theirs["bucket"], theirs["prefix"])


def test_every_name_in_the_environment_is_a_setting() -> None:
    known = {name.upper() for name in Settings.model_fields} | OTHERS
    (settings,) = (manifest["data"] for manifest in MANIFESTS if manifest["kind"] == "ConfigMap")
    own = {variable["name"] for _, spec in _workloads() for container in spec["containers"] for variable in container.get("env", [])}
    documented = (DEPLOY.parent / "docs/kubernetes.md").read_text()
    secrets = set(re.findall(r"\b(?:MLOPS|AWS|MLFLOW|SOCRATA|FOREST|DONOSTIA)_[A-Z0-9_]+\b", documented)) - {"AWS_ENDPOINT_URL_S3"}

    assert set(settings) - known == set()
    assert own - known == set()
    assert secrets - known == set()
    assert all(isinstance(value, str) for value in settings.values())
    Settings(_env_file=None, **{name.lower(): value for name, value in settings.items() if name.lower() in Settings.model_fields})


def test_each_secret_that_pods_read_is_documented_and_none_has_a_value_here(values: dict[str, Any]) -> None:
    documented = (DEPLOY.parent / "docs/kubernetes.md").read_text()
    groups = [values["dagsterWebserver"], values["dagsterDaemon"], _code_server(values), _run_launcher(values)]
    named = {secret["name"] for group in groups for secret in group["envSecrets"]} | {values["global"]["postgresqlSecretName"]}
    for _, spec in _workloads():
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            named |= {source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source}

    assert {name for name in named if f"`{name}`" not in documented} == set()
    assert not [manifest for manifest in MANIFESTS if manifest["kind"] == "Secret"]
    assert values["generatePostgresqlPasswordSecret"] is False
    assert values["postgresql"]["enabled"] is False
    scalars = [pair for document in [values, *MANIFESTS] for pair in _scalars(document)]
    assert [path for path, value in scalars if SECRET_KEYS.search(path) and value] == []
    assert [value for _, value in scalars if re.search(r"://[^/@\s]+:[^/@\s]+@", str(value))] == []


def test_nothing_runs_as_root_writes_its_image_or_takes_memory_without_limit(values: dict[str, Any]) -> None:
    user = re.findall(r"^USER (\d+):", (DEPLOY.parent / "Dockerfile").read_text(), re.MULTILINE)

    for name, (pod, container, resources) in _pods(values).items():
        assert pod["runAsNonRoot"], name
        assert str(pod["runAsUser"]) in user, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, name
        assert resources["limits"]["memory"], name
        assert resources["requests"]["cpu"], name


def test_only_who_launches_runs_may_use_the_cluster(values: dict[str, Any]) -> None:
    runs = _run_launcher(values)["runK8sConfig"]["podSpecConfig"]

    assert values["dagster-user-deployments"]["rbacEnabled"] is False
    assert runs["serviceAccountName"] == values["dagster-user-deployments"]["serviceAccount"]["name"] != values["serviceAccount"]["name"]
    assert runs["automountServiceAccountToken"] is False
    assert all(spec["automountServiceAccountToken"] is False for _, spec in _workloads())


def test_code_server_and_runs_have_the_same_surroundings(values: dict[str, Any]) -> None:
    server, runs = _code_server(values), _run_launcher(values)

    assert server["includeConfigInLaunchedRuns"] == {"enabled": False}
    for name in ("envConfigMaps", "envSecrets", "volumes", "volumeMounts"):
        assert server[name] == runs[name]
    assert server["codeServerArgs"] == ["-m", "mlops_assets.definitions", "-a", "defs"]


def test_webserver_is_asked_where_it_listens(values: dict[str, Any]) -> None:
    webserver = values["dagsterWebserver"]
    port = webserver["service"]["port"]

    assert port > 1023
    assert {webserver[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe")} == {port}


def test_images_have_the_names_and_commands_of_the_dockerfile(values: dict[str, Any]) -> None:
    targets = set(re.findall(r"^FROM runtime AS (\w+)$", (DEPLOY.parent / "Dockerfile").read_text(), re.MULTILINE))
    used = {_code_server(values)["image"]["repository"]} | {
        container["image"].rpartition(":")[0] for _, spec in _workloads() for container in spec["containers"]
    }

    assert used == {f"mlops-assets-{target}" for target in targets}
    assert "\nENTRYPOINT []\n" in (DEPLOY.parent / "Dockerfile").read_text()  # chart and manifests give whole commands as arguments


def test_policies_name_pods_that_exist(values: dict[str, Any]) -> None:
    ours = {spec["metadata"]["name"] for spec in MANIFESTS if spec["kind"] in ("Deployment", "Job")}
    chart = {"user-deployments", "dagster-webserver", "dagster-daemon", "run_worker", _code_server(values)["name"]}
    policies = [manifest["spec"] for manifest in MANIFESTS if manifest["kind"] == "NetworkPolicy"]
    named = {value for policy in policies for path, value in _scalars(policy) if ".matchLabels" in path or path.endswith(".values")}

    assert named - ours - chart == {"true"}
    assert {port["port"] for policy in policies for rule in policy["ingress"] for port in rule["ports"]} == {3000, 4000, 5000, 8501}


@pytest.fixture(scope="module")
def rendered() -> list[dict[str, Any]]:
    """What the chart makes of the values."""
    helm, chart = shutil.which("helm"), os.environ.get("DAGSTER_CHART")
    if not helm or not chart:
        pytest.skip("helm is not on PATH, or DAGSTER_CHART does not name Dagster's chart (helm/dagster of its repository)")
    command = [helm, "template", "dagster", chart, "--values", str(DEPLOY / "helm/values.yaml")]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return [document for document in yaml.safe_load_all(made.stdout) if document]


def test_chart_writes_the_same_instance(rendered: list[dict[str, Any]], instance: dict[str, Any]) -> None:
    (config,) = (item["data"]["dagster.yaml"] for item in rendered if item["metadata"]["name"] == "dagster-instance")
    found = yaml.safe_load(config)

    assert found["run_launcher"]["class"] == "K8sRunLauncher"
    assert found["compute_logs"]["config"]["bucket"] == instance["compute_logs"]["config"]["bucket"]
    assert found["concurrency"]["pools"] == instance["concurrency"]["pools"]
    assert found["run_retries"] == instance["run_retries"]
    assert found["telemetry"] == instance["telemetry"]
    assert instance["run_monitoring"].items() <= found["run_monitoring"].items()
    assert found["run_launcher"]["config"]["run_k8s_config"]["pod_spec_config"]["automountServiceAccountToken"] is False
    assert found["run_storage"]["config"]["postgres_db"]["password"] == {"env": "DAGSTER_PG_PASSWORD"}


def test_chart_starts_nothing_as_root_and_keeps_no_secret(rendered: list[dict[str, Any]]) -> None:
    pods = [item["spec"]["template"]["spec"] for item in rendered if item["kind"] == "Deployment"]

    assert len(pods) == 3
    assert not [item["metadata"]["name"] for item in rendered if item["kind"] == "Secret"]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"], container["name"]
