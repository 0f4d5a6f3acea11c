"""What the settings say by themselves, without any server."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from mlops_assets.doctor import Finding, Part
from mlops_assets.doctor import settings as settings_module
from mlops_assets.doctor.env_file import unread
from mlops_assets.doctor.settings import read_settings
from mlops_assets.settings import PROJECT_DIR, Settings
from mlops_assets_tests.doctor.conftest import Examine, only


def test_the_defaults_are_sound(problems: Examine) -> None:
    assert problems(Part.SETTINGS) == []


def test_settings_of_a_deployment_are_sound(problems: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("{}")
    settings = {
        "MLOPS_LAKE_URI": "s3://lake/assets",
        "MLOPS_WAREHOUSE_URL": "postgresql://me:pass-0815@postgresql:5432/warehouse",
        "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        "MLFLOW_ARTIFACTS_DESTINATION": "s3://mlflow/artifacts",
        "MLOPS_DAGSTER_STORAGE_URL": "postgresql://me:pass-0815@postgresql/dagster",
        "MLOPS_COMPUTE_LOGS_BUCKET": "lake",
        "AWS_ENDPOINT_URL_S3": "http://s3:9000",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "MLFLOW_TRACKING_USERNAME": "c",
        "MLFLOW_TRACKING_PASSWORD": "d",
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json"),
        "MLFLOW_TRACKING_INSECURE_TLS": "true",
        "MLOPS_DAGSTER_DIR": "x",
        "MLOPS_OF_SOMEBODY_ELSE": "x",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    assert problems(Part.SETTINGS) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MLOPS_LAKE_URI", "http://lake/0815", "begins with none of s3://, gs://, file://"),
        ("MLOPS_LAKE_URI", "s3:/lake/0815", "would be a folder called s3:"),
        ("MLOPS_LAKE_URI", "s3://", "names no bucket"),
        ("MLOPS_WAREHOUSE_URL", "mysql://me:pass-0815@db/x", "begins with none of duckdb://"),
        ("MLOPS_WAREHOUSE_URL", "warehouse-0815", "begins with none of duckdb://"),
        ("MLFLOW_TRACKING_URI", "mlflow:5000", "begins with none of http://"),
        ("MLFLOW_ARTIFACTS_DESTINATION", "ftp://mlflow", "begins with none of s3://"),
        ("MLOPS_DAGSTER_STORAGE_URL", "sqlite:///0815", "begins with none of postgresql://"),
        ("SOCRATA_URL", "data.example.org", "begins with none of http://"),
        ("DONOSTIA_API_URL", "http://", "names no host"),
        ("FOREST_API_URL", "http://forest:many", "is no address"),
        ("MLOPS_ALERT_WEBHOOK_URL", "hooks.example/0815", "begins with none of http://"),
        ("AWS_ENDPOINT_URL_S3", "s3:9000", "begins with none of http://"),
        ("MLOPS_COMPUTE_LOGS_BUCKET", "s3://logs", "not the name of a bucket"),
    ],
)
def test_an_address_of_the_wrong_form_is_named_with_what_to_write(
    problems: Examine, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)

    problem = only(problems(Part.SETTINGS))

    assert problem.what.startswith(f"{name}: ")
    assert says in problem.what
    assert problem.remedy.startswith("write ")


@pytest.mark.parametrize(
    ("there", "missing", "other"),
    [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", {"MLOPS_LAKE_URI": "s3://lake"}),
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", {"MLOPS_COMPUTE_LOGS_BUCKET": "logs"}),
        ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", {"MLFLOW_TRACKING_URI": "http://mlflow"}),
        ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_USERNAME", {"MLFLOW_TRACKING_URI": "http://mlflow"}),
    ],
)
def test_half_of_a_pair_is_named_where_it_is_used(
    problems: Examine, monkeypatch: pytest.MonkeyPatch, there: str, missing: str, other: dict[str, str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv(there, "half-0815")
    assert problems(Part.SETTINGS) == []
    for name, value in other.items():
        monkeypatch.setenv(name, value)

    assert only(problems(Part.SETTINGS)).remedy == f"set {missing}, or unset {there}"


def test_a_key_file_that_is_missing_is_named(problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")

    assert "there is no file /nowhere/key.json" in only(problems(Part.SETTINGS)).what


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("MLOPS_LAKE_URL", "MLOPS_LAKE_URI"),
        ("MLOPS_WAREHOUSE_URI", "MLOPS_WAREHOUSE_URL"),
        ("MLFLOW_TRACKING_URL", "MLFLOW_TRACKING_URI"),
        ("MLOPS_API_KEY", "MLOPS_API_KEYS"),
        ("SOCRATA_APPTOKEN", "SOCRATA_APP_TOKEN"),
        ("DONOSTIA_BURST_MINUTE", "DONOSTIA_BURST_MINUTES"),
    ],
)
def test_a_name_that_is_nearly_one_of_ours_is_asked_about(
    problems: Examine, monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    monkeypatch.setenv(written, "value-0815")

    assert only(problems(Part.SETTINGS)).what == f"there is no setting {written}: did you mean {meant}?"


@pytest.mark.parametrize("character", [*"/#?@\\ "])
def test_a_password_that_has_to_be_encoded_is_named_and_its_part_is_not_asked(
    findings: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", f"postgresql://me:alpha{character}0815@127.0.0.1:9/x")

    (found,) = findings(Part.SETTINGS, Part.WAREHOUSE)

    problem = only(list(found.problems))
    assert problem.what.startswith("MLOPS_WAREHOUSE_URL: has one of / # ? @ \\ or white space in its user or password")
    assert problem.remedy.startswith("percent-encode the password: ")
    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", f"postgresql://me:alpha{quote(character, safe='')}0815@127.0.0.1:9/x")
    assert [bool(found.problems) for found in findings(Part.SETTINGS, Part.WAREHOUSE)] == [False, True]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLOPS_ALERT_WEBHOOK_URL", "https://tenant.webhook.example/webhookb2/0815@0815/Incoming"),
        ("DONOSTIA_API_URL", "http://feed.example:8080/parkings?lang=es&at=12:00"),
        ("MLOPS_LAKE_URI", "/data/team:lake@home"),
    ],
)
def test_an_at_sign_or_a_colon_behind_the_host_is_no_password(
    problems: Examine, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    assert problems(Part.SETTINGS) == []


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_takes_no_password(findings: Callable[..., list[Finding]], monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("MLOPS_LAKE_URI", f"{scheme}://me-0815@lake")

    (found,) = findings(Part.SETTINGS, Part.LAKE)

    assert only(list(found.problems)).what == "MLOPS_LAKE_URI: has an @, and a bucket's address has no user and password"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"MLOPS_API_URL=http://api\nSOCRATA_APP_TOKEN='unclosed-0815\nFOREST_API_URL=http://forest\n", ", line 2: cannot be read"),
        (b"MLOPS_API_URL=http://api\nFOREST_API_URL=http://forest\nno setting 0815\n", ", line 3: cannot be read"),
        ("# caf\xe9\nA=1\n# ol\xe9".encode("latin-1"), ", line 1: is no UTF-8"),
        ("A=1\n".encode("utf-16"), ", line 1: is no UTF-8"),
        (None, " is a folder"),
    ],
)
def test_a_file_that_is_read_in_part_is_named_with_its_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str
) -> None:
    monkeypatch.setattr(settings_module, "PROJECT_DIR", tmp_path)
    file = tmp_path / ".env"
    assert read_settings()[1] == []
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)

    problem = only(read_settings()[1])

    assert problem.what.startswith(f"{file}{says}")
    assert "0815" not in repr(problem)


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SOCRATA_ATTEMPTS=7\n", encoding="utf-8-sig")

    assert list(unread(tmp_path / ".env")) == []
    assert Settings(_env_file=tmp_path / ".env").socrata_attempts == 7


def test_settings_that_cannot_be_read_are_all_named_and_the_others_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATA_PAGE_ROWS", "many-0815")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:pass-0815@mlflow")
    monkeypatch.setenv("FOREST_API_URL", "http://forest")

    settings, refused = read_settings()

    assert [problem.what.partition(":")[0] for problem in refused] == ["MLFLOW_TRACKING_URI", "SOCRATA_PAGE_ROWS"]
    assert "0815" not in repr(refused)
    assert (settings.socrata_page_rows, settings.mlflow_tracking_uri, settings.forest_api_url) == (50_000, None, "http://forest")
    assert settings.home.is_relative_to(PROJECT_DIR) is False


@pytest.mark.parametrize(("keys", "says"), [("short-0815", "number 1 has"), (f"{'x' * 16}, short-0815,a", "of 3 keys, number 2, 3 has")])
def test_keys_that_can_be_guessed_are_counted_never_shown(problems: Examine, monkeypatch: pytest.MonkeyPatch, keys: str, says: str) -> None:
    monkeypatch.setenv("MLOPS_API_KEYS", keys)

    assert says in only(problems(Part.API_KEYS)).what


def test_good_keys_and_no_keys_are_sound(problems: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(Part.API_KEYS) == []
    monkeypatch.setenv("MLOPS_API_KEYS", "x" * 16)
    assert problems(Part.API_KEYS) == []
