"""The compose file and the commands around it: as the schema and podman-compose see it, and as a careful operator would."""

import graphlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from mlops_assets.settings import Settings

PROJECT = Path(__file__).parents[2]
COMPOSE = PROJECT / "docker-compose.yml"
TEMPLATE = PROJECT / "deploy/compose.env"
SCRIPTS = Path(sys.executable).parent
VARIABLE = re.compile(r"\$\{(\w+)(:[?-])?([^}]*)\}")
ONE_SHOTS = {"volume-owner", "lake-init"}
"""They do their work and end, so they have no health and are not started again."""
TOOLS = {"rclone"}
"""Nor has what a command starts, with arguments of its own; `up` never does."""
OUTSIDE = {"postgresql", "s3", "code-server", "grafana", "proxy"}
"""What publishes a port, or asks other machines: the code server the upstreams, Grafana its contact points."""
OWN_SECRETS_ELSEWHERE = {"SOCRATA_APP_TOKEN", "MLOPS_ALERT_WEBHOOK_URL"}
"""Secrets that somebody else gives out, and that may be missing."""
UPSTREAM_NAMES = ("SOCRATA_", "FOREST_", "DONOSTIA_", "MLOPS_LAKE_RETENTION_DAYS", "MLOPS_ALERT_", "MLOPS_API_")


@cache
def _compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return content


def _services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = _compose()["services"]
    return services


def _template() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", TEMPLATE.read_text(), re.MULTILINE))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with what the commands need, and nothing more."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "docker-compose.yml", ".env.example"):
        shutil.copy(PROJECT / name, folder / name)
    (folder / "deploy").mkdir()
    for name in ("compose.env", "env.sh", "stack.sh"):
        shutil.copy(PROJECT / "deploy" / name, folder / "deploy" / name)
    return folder


@pytest.fixture
def engine(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder for PATH whose `docker` writes down what it is called with, in the file `calls`, and ends as told."""

    def make(**fails: int) -> Path:
        folder = tmp_path / "engine"
        folder.mkdir(exist_ok=True)
        cases = "".join(f'    *" {word} "*) exit {code} ;;\n' for word, code in fails.items())
        script = f'#!/bin/sh\necho "$COMPOSE_PROFILES: $*" >>"{folder}/calls"\ncase " $* " in\n{cases}    *) exit 0 ;;\nesac\n'
        (folder / "docker").write_text(script)
        (folder / "docker").chmod(0o755)
        return folder

    return make


def _make(checkout: Path, *arguments: str, answer: str = "", path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Make in a shell that knows nothing but the system's programs and those of `path`."""
    environment = {"PATH": f"{path}:/usr/bin:/bin" if path else str(_basics(checkout.parent)), "HOME": str(checkout)}
    make = shutil.which("make")
    assert make
    return subprocess.run(
        [make, *arguments], cwd=checkout, env=environment, input=answer, capture_output=True, text=True, check=False, timeout=60
    )


def _basics(folder: Path) -> Path:
    """A folder for PATH with what the scripts use, and no container engine."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in ("sh", "dirname", "sed", "grep", "tail", "awk", "od", "tr", "cp", "chmod", "cat", "expand", "find", "git"):
        if not (programs / name).exists() and (found := shutil.which(name)):
            (programs / name).symlink_to(found)
    return programs


def _mlflow_security() -> ModuleType:
    """MLflow's own rules, without its server, which takes long to import."""
    found = importlib.util.find_spec("mlflow")
    assert found
    assert found.origin
    spec = importlib.util.spec_from_file_location("security_utils", Path(found.origin).parent / "server/security_utils.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _environment(checkout: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", (checkout / ".env").read_text(), re.MULTILINE))


# ---- the file ----


def test_the_file_fits_the_schema() -> None:
    command = [str(SCRIPTS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout + found.stderr


def test_podman_compose_reads_it_with_what_make_env_writes(checkout: Path) -> None:
    if shutil.which("podman") is None:
        pytest.skip(
            "podman, without which podman-compose does nothing, is not here (Debian: apt-get install --no-install-recommends podman)"
        )
    _make(checkout, "env")
    environment = {**os.environ, "COMPOSE_PROFILES": "storage,lineage,serving,monitoring,sandbox,tools"}

    done = subprocess.run(
        [str(SCRIPTS / "podman-compose"), "config"], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    values = _environment(checkout)
    assert set(services) == set(_services())
    warehouse = f"postgresql://warehouse:{values['DEPLOY_WAREHOUSE_PASSWORD']}@postgresql:5432/warehouse?sslmode=disable"
    assert services["code-server"]["environment"]["MLOPS_WAREHOUSE_URL"] == warehouse
    assert services["proxy"]["environment"]["PROXY_PASSWORD"] == values["DEPLOY_PROXY_PASSWORD"]
    assert services["code-server"]["environment"]["SOCRATA_URL"] == ""
    assert "${" not in done.stdout


def test_every_variable_is_in_the_template_or_a_setting_of_the_platform() -> None:
    used = {(name, operator) for name, operator, _ in VARIABLE.findall(COMPOSE.read_text())}
    template = _template()
    required = {name for name, operator in used if operator == ":?"}
    optional = {name for name, operator in used if operator != ":?"} - {"DEPLOY_BIND_ADDRESS", "DEPLOY_REVISION"}

    assert all(operator for _, operator in used)
    assert required | {"DEPLOY_BIND_ADDRESS", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"} == set(template)
    assert optional <= {name.upper() for name in Settings.model_fields}
    assert all(name.startswith(UPSTREAM_NAMES) for name in optional)
    assert set(template) & {name.upper() for name in Settings.model_fields} == set(), "a command of the checkout would read it, too"


def test_every_upstream_setting_reaches_the_runs() -> None:
    runs = _services()["code-server"]["environment"]
    settings = {name.upper() for name in Settings.model_fields if name.startswith(("socrata_", "forest_", "donostia_"))}

    assert {name for name in settings if runs.get(name) != f"${{{name}:-}}"} == set()


def test_no_secret_stands_in_the_repository() -> None:
    secret = re.compile(r"PASSWORD|SECRET|KEY|TOKEN|WEBHOOK")
    for name, value in _template().items():
        assert (value == "<secret>") == bool(secret.search(name)), name
    for name, service in _services().items():
        for key, value in service.get("environment", {}).items():
            if secret.search(key):
                assert re.fullmatch(r"\$\{\w+:\?run make env\}", value) or key in OWN_SECRETS_ELSEWHERE, f"{name}: {key}"


def test_images_are_our_own_or_pinned() -> None:
    template = _template()
    for name, service in _services().items():
        (variable, operator, _) = VARIABLE.findall(service["image"])[0]
        assert operator == ":?"
        if "build" in service:
            assert service["image"] == f"mlops-assets-{service['build']['target']}:${{DEPLOY_IMAGE_TAG:?run make env}}"
            assert f" AS {service['build']['target']}\n" in (PROJECT / "Dockerfile").read_text()
        else:
            image, _, tag = template[variable].partition(":")
            assert re.search(r"\d+\.\d+|\d{4}-\d\d-\d\d", tag), f"{name}: {template[variable]} is not pinned"
            assert "." not in image.split("/")[0], "an image's registry is the reader's choice"


def test_only_loopback_is_published_and_only_by_what_has_a_login() -> None:
    ports = {name: service["ports"] for name, service in _services().items() if "ports" in service}

    assert set(ports) == {"postgresql", "s3", "grafana", "proxy"}
    for published in (port for of_service in ports.values() for port in of_service):
        assert re.fullmatch(r"\$\{DEPLOY_BIND_ADDRESS:-127\.0\.0\.1\}:\$\{DEPLOY_\w+_PORT:\?run make env\}:\d+", published)
    assert _template()["DEPLOY_BIND_ADDRESS"] == "127.0.0.1"
    given = [value for name, value in _template().items() if name.endswith("_PORT") and name != "DEPLOY_POSTGRESQL_SERVER_PORT"]
    assert len(set(given)) == len(given)


@pytest.mark.parametrize("name", list(_services()))
def test_every_service_is_confined(name: str) -> None:
    service = _services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (["CHOWN"] if name == "volume-owner" else [])
    assert service["user"] != "0:0" or name == "volume-owner"
    assert not service.get("privileged")
    assert {"mem_limit", "cpus", "pids_limit", "logging", "tmpfs"} <= set(service)
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["restart"] == ("no" if name in ONE_SHOTS | TOOLS else "unless-stopped")
    assert ("healthcheck" in service) == (name not in ONE_SHOTS | TOOLS)
    assert service["profiles"]
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))
    if "network_mode" in service:
        assert (name, service["network_mode"]) in {("sandbox", "service:code-server"), ("volume-owner", "none")}
    else:
        assert service["networks"] == (["backend", "outside"] if name in OUTSIDE else ["backend"])
    for volume in service.get("volumes", []):
        source, _, options = volume.partition(":")
        if source.startswith("./"):
            assert (PROJECT / source).exists()
            assert options.endswith(":ro,z")
        else:
            assert source in _compose()["volumes"]


def test_our_containers_run_as_the_images_own_user() -> None:
    (user,) = re.findall(r"^USER (\S+)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)

    assert {service["user"] for service in _services().values() if "build" in service} == {user}
    assert user in _services()["volume-owner"]["command"][0]
    assert _services()["s3"]["user"] in _services()["volume-owner"]["command"][0]


def test_nobody_can_reach_the_backend_from_outside() -> None:
    assert _compose()["networks"] == {"backend": {"internal": True}, "outside": None}


def test_dependencies_end_and_each_is_started_by_whatever_profile_needs_it() -> None:
    services = _services()
    needs = {name: service.get("depends_on", {}) for name, service in services.items()}

    graphlib.TopologicalSorter({name: set(needed) for name, needed in needs.items()}).prepare()
    for name, needed in needs.items():
        for other, how in needed.items():
            assert how["condition"] == (
                "service_completed_successfully" if other in ONE_SHOTS else "service_started" if name == "sandbox" else "service_healthy"
            )
            covered = set(services[name]["profiles"]) <= set(services[other]["profiles"])
            # The sandbox is for a code server; a store may be somebody else's.
            assert covered or name == "sandbox" or how["required"] is False, f"{name} needs {other}"
    awaited = {other for needed in needs.values() for other, how in needed.items() if how["condition"] == "service_completed_successfully"}
    assert awaited == ONE_SHOTS, "`up --wait` takes the end of any other for a failure"


def test_the_proxy_leads_to_the_services_by_the_ports_that_its_servers_listen_on() -> None:
    proxy = _services()["proxy"]
    leads = {name: value for name, value in proxy["environment"].items() if re.fullmatch(r"[a-z]+:\d+", value)}
    template = (PROJECT / "deploy/proxy/templates/servers.conf.template").read_text()
    published = {int(port.rpartition(":")[2]) for port in proxy["ports"]}

    assert {value.partition(":")[0] for value in leads.values()} <= set(_services())
    assert published | {8080} == {int(port) for port in re.findall(r"listen (\d+);", template)}
    used = set(re.findall(r"\$\{(PROXY_\w+)\}", "".join(file.read_text() for file in (PROJECT / "deploy/proxy/templates").iterdir())))
    assert used == {name for name in proxy["environment"] if name.startswith("PROXY_")}
    assert all(re.search(proxy["environment"]["NGINX_ENVSUBST_FILTER"], name) for name in {*used, "NGINX_LOCAL_RESOLVERS"})
    for port, server in re.findall(r"listen (\d+);(.*?)\n}", template, re.DOTALL):
        assert (f"auth_basic_user_file {proxy['environment']['NGINX_ENVSUBST_OUTPUT_DIR']}/htpasswd" in server) == (port != "8080")


def test_mlflow_takes_the_names_that_lead_to_it_and_no_other() -> None:
    mlflow = _mlflow_security()
    template = _template()
    hosts, origin = template["DEPLOY_MLFLOW_HOSTS"].split(","), template["DEPLOY_MLFLOW_URL"]
    command = _services()["mlflow"]["command"]

    assert "--allowed-hosts=${DEPLOY_MLFLOW_HOSTS:?run make env}" in command
    assert "--cors-allowed-origins=${DEPLOY_MLFLOW_URL:?run make env}" in command
    for host in (
        _services()["code-server"]["environment"]["MLFLOW_TRACKING_URI"].removeprefix("http://"),
        "127.0.0.1:5000",
        "localhost:5000",
    ):
        assert mlflow.is_allowed_host_header(hosts, host), host
    for host in ("evil.example", "evil.example:5000", "localhost.evil.example:5000"):
        assert not mlflow.is_allowed_host_header(hosts, host), host
    assert not mlflow.should_block_cors_request(origin, "POST", [origin])
    assert mlflow.should_block_cors_request("https://evil.example", "POST", [origin])


def test_prometheus_scrapes_the_api_by_its_name() -> None:
    (group,) = yaml.safe_load((PROJECT / "deploy/prometheus/compose/mlops_api.yml").read_text())
    config = yaml.safe_load((PROJECT / "deploy/prometheus/prometheus.yml").read_text())
    mounts = dict(volume.split(":")[:2] for volume in _services()["prometheus"]["volumes"])

    assert group["targets"] == ["api:8000"]
    assert mounts["./deploy/prometheus/compose"] == "/etc/prometheus/targets"
    assert config["scrape_configs"][0]["file_sd_configs"] == [{"files": ["targets/*.yml"]}]


def test_grafana_gets_every_variable_that_its_provisioning_asks_for() -> None:
    grafana = _services()["grafana"]
    folder = PROJECT / "deploy/grafana/provisioning/postgresql"
    asked = {name for file in folder.rglob("*.yml") for name in re.findall(r"\$\{(\w+)\}", file.read_text())}

    assert asked <= set(grafana["environment"])
    assert grafana["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert f"./deploy/grafana:{grafana['environment']['MLOPS_GRAFANA_FOLDER']}:ro,z" in grafana["volumes"]


# ---- make ----


def test_make_env_writes_what_is_missing_once_and_tells_no_secret(checkout: Path) -> None:
    first = _make(checkout, "env")
    written, values = (checkout / ".env").read_bytes(), _environment(checkout)
    second = _make(checkout, "env")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert (checkout / ".env").stat().st_mode & 0o777 == 0o600
    assert written.startswith((checkout / ".env.example").read_bytes())
    assert (checkout / ".env").read_bytes() == written
    secrets = {values[name] for name, value in _template().items() if value == "<secret>"}
    assert len(secrets) == list(_template().values()).count("<secret>"), "two secrets are the same"
    assert all(re.fullmatch(r"[0-9a-f]{48}", secret) for secret in secrets)
    assert not any(secret in first.stdout + first.stderr + second.stdout for secret in secrets)
    assert {name: values[name] for name, value in _template().items() if value != "<secret>"} == {
        name: value for name, value in _template().items() if value != "<secret>"
    }


def test_make_env_leaves_what_is_there(checkout: Path) -> None:
    own = "SOCRATA_URL=http://127.0.0.1:8700\nDEPLOY_PROXY_PASSWORD=mine\nDEPLOY_GRAFANA_IMAGE=grafana/grafana:1.0.0\nDEPLOY_API_KEYS=a,b"
    (checkout / ".env").write_text(own)  # without an end of its last line
    (checkout / ".env").chmod(0o644)

    done = _make(checkout, "env")

    assert (checkout / ".env").read_text().startswith(own + "\n")
    assert _environment(checkout)["DEPLOY_PROXY_PASSWORD"] == "mine"
    assert _environment(checkout)["DEPLOY_API_KEYS"] == "a,b"
    assert (checkout / ".env").stat().st_mode & 0o777 == 0o600
    assert "DEPLOY_GRAFANA_IMAGE in .env is another image" in done.stdout
    assert "  DEPLOY_PROXY_PASSWORD\n" not in done.stdout


def test_make_up_refuses_without_settings_and_without_an_engine(checkout: Path, engine: Callable[..., Path]) -> None:
    nothing = _make(checkout, "up")
    _make(checkout, "env")
    no_engine = _make(checkout, "up")
    text = (checkout / ".env").read_text()
    (checkout / ".env").write_text(re.sub(r"DEPLOY_MLFLOW_PASSWORD=.*\n", "", text).replace("DEPLOY_S3_PORT=9000", "DEPLOY_S3_PORT="))
    incomplete = _make(checkout, "up", path=engine())
    (checkout / ".env").write_text(re.sub(r"DEPLOY_PROXY_PASSWORD=.*", "DEPLOY_PROXY_PASSWORD=a:b", text))
    unusable = _make(checkout, "up", path=engine())
    (checkout / ".env").write_text(text)
    asleep = _make(checkout, "up", path=engine(info=1))
    (checkout / "deploy/compose.env").chmod(0o600)
    closed = _make(checkout, "up", path=engine())

    for refused, reason in (
        (nothing, "`make env`"),
        (no_engine, "docker compose"),
        (incomplete, "DEPLOY_S3_PORT is missing\n  DEPLOY_MLFLOW_PASSWORD is missing"),
        (unusable, "DEPLOY_PROXY_PASSWORD may only have letters"),
        (asleep, "its engine does not answer"),
        (closed, "chmod -R a+rX deploy` lets them:\ndeploy/compose.env"),
    ):
        assert refused.returncode != 0
        assert reason in refused.stderr, refused.stderr
    assert " up " not in (engine() / "calls").read_text()


@pytest.mark.parametrize(
    ("line", "told"), [("storage\r", "CR LF"), ("storage # for now", "COMPOSE_PROFILES has a comment behind its value")]
)
def test_make_up_refuses_what_would_be_read_otherwise_than_it_looks(
    checkout: Path, engine: Callable[..., Path], line: str, told: str
) -> None:
    _make(checkout, "env")
    text = (checkout / ".env").read_text()
    (checkout / ".env").write_text(re.sub(r"COMPOSE_PROFILES=.*", f"COMPOSE_PROFILES={line}", text), newline="")

    done = _make(checkout, "up", path=engine())

    assert done.returncode != 0
    assert told in done.stderr


def test_make_up_waits_and_prints_addresses_and_no_secret(checkout: Path, engine: Callable[..., Path]) -> None:
    _make(checkout, "env")
    done = _make(checkout, "up", path=engine())

    assert done.returncode == 0, done.stderr
    calls = (engine() / "calls").read_text().splitlines()
    assert calls[-1] == "storage,lineage,serving,monitoring: compose up --detach --wait --wait-timeout 900"
    assert "http://127.0.0.1:3000  login: operator" in done.stdout
    values = _environment(checkout)
    secrets = {values[name] for name, value in _template().items() if value == "<secret>"}
    assert not any(secret in done.stdout + done.stderr for secret in secrets)


def test_make_up_says_where_to_look_when_a_service_is_not_healthy(checkout: Path, engine: Callable[..., Path]) -> None:
    _make(checkout, "env")
    done = _make(checkout, "up", path=engine(up=1))

    assert done.returncode != 0
    assert "make status" in done.stderr
    assert "Dagster" not in done.stdout


@pytest.mark.parametrize("answer", ["", "\n", "y\n", "YES\n", "no\n"])
def test_make_clean_deletes_nothing_without_a_yes(checkout: Path, engine: Callable[..., Path], answer: str) -> None:
    _make(checkout, "env")
    done = _make(checkout, "clean", answer=answer, path=engine())

    assert done.returncode != 0
    assert "Nothing was deleted" in done.stderr
    assert "down" not in (engine() / "calls").read_text()


def test_make_clean_names_every_volume_and_deletes_them_after_a_yes(checkout: Path, engine: Callable[..., Path]) -> None:
    _make(checkout, "env")
    done = _make(checkout, "clean", answer="yes\n", path=engine())

    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")} == set(_compose()["volumes"])
    assert (engine() / "calls").read_text().splitlines()[-1].endswith("sandbox: compose down --volumes --remove-orphans")
    assert (checkout / ".env").exists()


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["down"], "storage,lineage,serving,monitoring,sandbox: compose down"),
        (["restart"], "storage,lineage,serving,monitoring: compose up --detach --wait --wait-timeout 900 --force-recreate"),
        (
            ["restart", "SERVICE=api"],
            "storage,lineage,serving,monitoring: compose up --detach --wait --wait-timeout 900 --force-recreate --no-deps api",
        ),
        (["install"], "storage,lineage,serving,monitoring: compose build --pull"),
        (["logs", "SERVICE=api"], "storage,lineage,serving,monitoring,sandbox: compose logs --follow --tail 200 api"),
        (["status"], "storage,lineage,serving,monitoring,sandbox: compose ps"),
    ],
)
def test_the_other_commands(checkout: Path, engine: Callable[..., Path], arguments: list[str], called: str) -> None:
    _make(checkout, "env")
    done = _make(checkout, *arguments, path=engine())

    assert done.returncode == 0, done.stderr
    assert (engine() / "calls").read_text().splitlines()[-1] == called


def test_another_command_than_dockers_can_be_named(checkout: Path, engine: Callable[..., Path]) -> None:
    _make(checkout, "env")
    folder = engine()
    (folder / "docker").rename(folder / "another")
    done = _make(checkout, "down", "COMPOSE=another compose", path=folder)

    assert done.returncode == 0, done.stderr
    assert (folder / "calls").read_text().splitlines() == ["storage,lineage,serving,monitoring,sandbox: compose down"]


def test_the_deployments_commands_need_no_virtual_environment_and_are_in_the_help(checkout: Path) -> None:
    commands = ("env", "up", "down", "restart", "install", "clean", "logs", "status")
    planned = _make(checkout, "-n", *commands).stdout
    shown = _make(PROJECT, "help").stdout

    assert planned.count("sh deploy/") == len(commands)
    assert ".venv" not in planned
    assert all(re.search(rf"^{command} +Deployment: ", shown, re.MULTILINE) for command in commands)
    assert re.search(r"^(tidy|audit|images) ", shown, re.MULTILINE)


def test_the_readme_knows_every_service_variable_and_volume() -> None:
    readme = (PROJECT / "deploy/README.md").read_text()

    for name in (*_services(), *_compose()["volumes"], *_template()):
        assert f"`{name}`" in readme, name
