"""`mlops-assets doctor` as a command: what it prints, how it ends, and that no secret is ever in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_assets_tests.doctor.conftest import PASSWORD, SECRETS, answering, in_the_way

Command = Callable[..., Any]

PIECES = ("alpha", "bravo", "charlie", "delta")
ENDS = ["  ", *"/@?#\\%["]
"""What ends a password for one driver or another."""


@pytest.fixture(autouse=True)
def _environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLOPS_WAREHOUSE_URL", "MLOPS_API_KEYS", "MLOPS_DAGSTER_STORAGE_URL", "FOREST_API_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_a_platform_that_works_is_a_table_of_addresses_and_versions(cli: Command, home: Path) -> None:
    ended = cli("doctor")

    assert (ended.code, ended.err) == (0, "")
    for word in ("Everything is as it should be", "lake", "DuckDB", "sqlite:///", "Dagster storage", "API keys"):
        assert word in ended.out


def test_the_same_as_json(cli: Command, home: Path) -> None:
    report = json.loads(cli("doctor", "--json").out)

    assert (report["sound"], report["problems"]) == (True, [])
    assert {"part": "lake", "address": str(home / "lake")}.items() <= report["parts"][2].items()


def test_problems_of_every_part_are_told_at_once(cli: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_way(home)
    for name, value in {"SOCRATA_PAGE_ROWS": "many", "MLOPS_LAKE_URL": "x", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)

    ended = cli("doctor")

    assert (ended.code, ended.err) == (1, "")
    assert ended.out.startswith("7 problems\n")
    for part in (
        "settings: SOCRATA_PAGE_ROWS",
        "settings: there is no",
        "disk: ",
        "lake: ",
        "warehouse: ",
        "MLflow: ",
        "Dagster storage: ",
    ):
        assert f"\n  {part}" in ended.out


@pytest.mark.parametrize("command", [("run",), ("hour",), ("code-server", "--port", "0")])
def test_commands_refuse_to_start_with_the_same_words(cli: Command, home: Path, command: tuple[str, ...]) -> None:
    in_the_way(home)
    told = cli("doctor").out.strip()

    ended = cli(*command)

    assert ended.code == 2
    assert ended.err.strip() == f"mlops-assets: {told}"
    assert "Traceback" not in ended.err


def test_serve_refuses_what_cannot_heal_and_nothing_else(cli: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLOPS_API_KEYS", "short-0815")

    ended = cli("serve", "--port", "0")

    assert ended.code == 2
    assert ended.err.startswith("mlops-assets: 1 problem\n  API keys: MLOPS_API_KEYS: of 1 keys, number 1 has less than 16 characters")
    assert "0815" not in ended.err


def test_upstreams_are_asked_when_they_are_asked_for(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(404) as up, answering(503) as down:
        monkeypatch.setenv("SOCRATA_URL", up)
        monkeypatch.setenv("FOREST_API_URL", down)
        monkeypatch.setenv("DONOSTIA_API_URL", "http://127.0.0.1:9/feed")
        assert cli("doctor").code == 0

        ended = cli("doctor", "--upstreams")

    assert ended.code == 1
    assert ended.out.startswith("2 problems\n")
    assert f"  upstreams: {down} answers 503" in ended.out
    assert "  upstreams: http://127.0.0.1:9/feed cannot be reached" in ended.out


@pytest.mark.parametrize("arguments", [("doctor", "--upstreams"), ("doctor", "--json", "--upstreams"), ("run",)])
@pytest.mark.parametrize("status", [401, 403, 500])
def test_no_secret_is_in_any_text_whatever_fails(
    cli: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int
) -> None:
    everything = " ".join([PASSWORD, *SECRETS.values()]).encode()
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with answering(status, everything) as address:
        hidden = address.replace("//", f"//me:{PASSWORD}@")
        settings = {
            "MLOPS_LAKE_URI": "s3://lake/assets",
            "AWS_ENDPOINT_URL_S3": hidden,
            "AWS_ACCESS_KEY_ID": "known",
            "MLOPS_WAREHOUSE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:9/x?password=other-0815&sslmod=pass-0815",
            "MLOPS_DAGSTER_STORAGE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:9/x",
            "MLFLOW_TRACKING_URI": address,
            "SOCRATA_URL": hidden,
            "DONOSTIA_API_URL": hidden,
            "FOREST_API_URL": f"http://me:{PASSWORD}@127.0.0.1:9",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

        ended = cli(*arguments)

    assert ended.code in (1, 2)
    assert "warehouse" in ended.out + ended.err
    assert "0815" not in ended.out + ended.err


@pytest.mark.parametrize("ends", [*((end,) for end in ENDS), ("@", "/", ":"), (" ", "\t", "/")], ids=repr)
@pytest.mark.parametrize(
    "addresses",
    [
        {
            "MLOPS_DAGSTER_STORAGE_URL": "postgresql://usr:{}@127.0.0.1:9/x",
            "MLOPS_WAREHOUSE_URL": "postgresql://usr:{}@127.0.0.1:9/x",
            "MLFLOW_TRACKING_URI": "http://usr:{}@127.0.0.1:9",
            "AWS_ENDPOINT_URL_S3": "http://usr:{}@127.0.0.1:9",
            "SOCRATA_URL": "http://usr:{}@127.0.0.1:9",
        },
        {
            "MLOPS_DAGSTER_STORAGE_URL": "usr:{}@127.0.0.1:9/x",
            "MLOPS_WAREHOUSE_URL": "bigquery://usr:{}@project/dataset",
            "MLOPS_LAKE_URI": "s3://usr:{}@lake/assets",
            "DONOSTIA_API_URL": "http://usr:{}@127.0.0.1:9/feed",
        },
        {
            "MLOPS_LAKE_URI": "gs://usr:{}@lake/assets",
            "MLOPS_COMPUTE_LOGS_BUCKET": "usr:{}@lake",
            "DONOSTIA_API_URL": "usr:{}@127.0.0.1:9/feed",
        },
    ],
    ids=["servers", "buckets", "no addresses"],
)
def test_no_piece_of_a_password_is_shown_whatever_ends_it(
    cli: Command, monkeypatch: pytest.MonkeyPatch, addresses: dict[str, str], ends: tuple[str, ...]
) -> None:
    defaults = dict.fromkeys(("SOCRATA_URL", "DONOSTIA_API_URL", "AWS_ENDPOINT_URL_S3"), "http://127.0.0.1:9")
    for name, value in {"MLOPS_LAKE_URI": "s3://lake/assets", **defaults}.items():
        monkeypatch.setenv(name, value)
    for letter, (name, address) in zip("abcde", addresses.items(), strict=False):  # to know one is not to know another
        password = "".join(f"{piece}{letter}{end}" for piece, end in zip(PIECES, (*ends, ""), strict=False))
        monkeypatch.setenv(name, address.format(password))

    ended = cli("doctor", "--upstreams")

    assert ended.code == 1
    assert [piece for piece in PIECES if piece in ended.out + ended.err] == []
