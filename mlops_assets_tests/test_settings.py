"""Settings: where values come from, what the defaults are, and that secrets stay secret."""

from pathlib import Path
from typing import Any

import pytest

from mlops_assets.settings import PROJECT_DIR, Settings, SettingsError

SECRET = "s3cret-value"


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def _settings(env_file: Path | None = None, **values: Any) -> Settings:
    return Settings(_env_file=env_file, **values)


def test_defaults_keep_all_state_in_one_folder_of_the_checkout() -> None:
    settings = _settings()
    home = PROJECT_DIR / ".mlops"

    assert settings.home == home
    assert settings.lake_uri == str(home / "lake")
    assert settings.tracking_uri == f"sqlite:///{home}/mlflow/mlflow.db"
    assert settings.socrata_url == "https://data.cityofchicago.org"
    assert settings.mlops_alert_webhook_url is None
    assert settings.socrata_app_token is None


def test_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("SOCRATA_URL=http://file\nSOCRATA_PAGE_ROWS=7\nNOT_OURS=1\n")
    monkeypatch.setenv("SOCRATA_URL", "http://environment")

    settings = _settings(env_file)

    assert (settings.socrata_url, settings.socrata_page_rows, settings.socrata_attempts) == ("http://environment", 7, 5)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("SOCRATA_APP_TOKEN", "")

    assert _settings().tracking_uri.startswith("sqlite:///")
    assert _settings().socrata_app_token is None


@pytest.mark.parametrize(
    ("given", "home"),
    [
        ("state", PROJECT_DIR / "state"),
        ("../state", PROJECT_DIR.parent / "state"),
        ("/data/my state", Path("/data/my state")),
        ("~/state", Path.home() / "state"),
    ],
)
def test_home_is_absolute_wherever_the_process_stands(given: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLOPS_HOME", given)

    assert _settings().home == home.resolve()
    assert _settings().lake_uri == str(home.resolve() / "lake")


@pytest.mark.parametrize(
    ("given", "uri"),
    [
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("gs://bucket", "gs://bucket"),
        ("/data/my lake", "/data/my lake"),
        ("lake", str(PROJECT_DIR / "lake")),
        ("~/lake", str(Path.home() / "lake")),
    ],
)
def test_lake_is_an_address_or_an_absolute_folder(given: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLOPS_LAKE_URI", given)

    assert _settings().lake_uri == uri


def test_an_mlflow_server_decides_where_artifacts_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")

    assert _settings().tracking_uri == "http://mlflow:5000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOCRATA_PAGE_ROWS", "0"),
        ("SOCRATA_PAGE_ROWS", "many"),
        ("SOCRATA_TIMEOUT_SECONDS", "0"),
        ("SOCRATA_ATTEMPTS", "0"),
        ("MLOPS_LAKE_RETENTION_DAYS", "3651"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name):
        _settings()


def test_all_that_cannot_be_used_is_told_at_once_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATA_PAGE_ROWS", SECRET)
    monkeypatch.setenv("FOREST_GROUP_NUMBER", "11")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{SECRET}@mlflow")

    with pytest.raises(ValueError, match="settings cannot be used: ") as refused:
        _settings()

    text = str(refused.value)
    assert [name in text for name in ("SOCRATA_PAGE_ROWS: ", "FOREST_GROUP_NUMBER: ", "MLFLOW_TRACKING_URI: must hold no password")] == [
        True
    ] * 3
    assert SECRET not in text


@pytest.mark.parametrize("character", [*"/#?@\\: "])
def test_a_password_in_mlflows_address_is_refused_whatever_is_in_it(character: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{SECRET}{character}{SECRET}@mlflow:5000")

    with pytest.raises(SettingsError, match="must hold no password"):
        _settings()


@pytest.mark.parametrize("uri", ["http://mlflow:5000", "http://me@mlflow:5000", "sqlite:////data/a:b@c/mlflow.db"])
def test_an_address_of_mlflow_without_a_password_is_taken(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    assert _settings().tracking_uri == uri


@pytest.mark.parametrize("name", ["SOCRATA_APP_TOKEN", "MLOPS_ALERT_WEBHOOK_URL"])
def test_secrets_are_in_no_text_of_the_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, SECRET)
    settings = _settings()

    assert getattr(settings, name.lower()).get_secret_value() == SECRET
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_warehouse_is_a_file_under_home_unless_an_address_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    assert Settings().warehouse_url.get_secret_value() == f"duckdb:///{tmp_path}/warehouse.duckdb"

    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", "duckdb:///data/tables.duckdb")
    assert Settings().warehouse_url.get_secret_value() == f"duckdb:///{PROJECT_DIR}/data/tables.duckdb"

    monkeypatch.setenv("MLOPS_WAREHOUSE_URL", "postgresql://me:s3cret@db/tables")
    assert Settings().warehouse_url.get_secret_value() == "postgresql://me:s3cret@db/tables"
    assert "s3cret" not in repr(Settings())


@pytest.mark.parametrize(("value", "keys"), [("", ()), ("one", ("one",)), (" one , two,, ", ("one", "two"))])
def test_api_keys_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch, value: str, keys: tuple[str, ...]) -> None:
    monkeypatch.setenv("MLOPS_API_KEYS", value)

    assert Settings().api_keys == keys
    assert "two" not in repr(Settings())
