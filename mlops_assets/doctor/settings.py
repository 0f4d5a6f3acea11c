"""The settings by themselves: values of the wrong form, halves of pairs, and names that are nearly those of settings. Asks no server."""

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlops_assets.doctor import env_file
from mlops_assets.doctor.credentials import is_ambiguous, is_bucket_with_credentials
from mlops_assets.doctor.problem import Finding, Part, Problem
from mlops_assets.settings import PROJECT_DIR, Settings, SettingsError

REMEDY = "correct it in .env or in the environment; docs/settings.md says what it takes"
PREFIXES = ("MLOPS_", "SOCRATA_", "FOREST_", "DONOSTIA_", "MLFLOW_TRACKING_")
"""Names that begin so and are not known are taken for mistakes if they come near to a known one."""
NEAR = 0.85
"""Of a likeness from 0 to 1: MLOPS_LAKE_URL and MLOPS_LAKE_URI have 0.93."""
FOREIGN = (
    "MLOPS_DAGSTER_DIR",
    "MLOPS_GRAFANA_FOLDER",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_AUTH",
    "MLFLOW_TRACKING_AWS_SIGV4",
    "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
)
"""Variables that mean something to others of the platform."""
WEB = ("http", "https")
LAKES = ("s3", "gs", "file")
WAREHOUSES = ("duckdb", "postgresql", "postgres", "bigquery")
DATABASES = ("postgresql", "postgresql+psycopg2")
TRACKING = ("http", "https", "sqlite")
ENCODED = "%2F for /, %23 for #, %3F for ?, %40 for @, %5C for \\, %20 for a space"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def examine(settings: Settings, thorough: bool) -> list[Finding]:  # noqa: ARG001  # it is cheap
    """Everything that can be said of the settings without asking a server."""
    problems = [*_malformed(settings, os.environ), *_halves(settings, os.environ), *_misspelled(os.environ)]
    return [Finding(Part.SETTINGS, str(PROJECT_DIR / ".env"), "", tuple(problems))]


def read_settings() -> tuple[Settings, list[Problem]]:
    """The settings, with the defaults of those that cannot be read, and a problem for each of these and for each fault of `.env`.

    What can be read of a faulty file is taken from the environment, into which the command line puts it.
    """
    problems = list(env_file.unread(PROJECT_DIR / ".env"))
    source: dict[str, Any] = {"_env_file": None} if problems else {}
    try:
        return Settings(**source), problems
    except SettingsError as error:
        fields = {name.lower(): Settings.model_fields[name.lower()] for name in error.faults}
        problems += [Problem(Part.SETTINGS, f"{name}: {fault}", REMEDY) for name, fault in error.faults.items()]
        return Settings(**source, **{name: field.get_default() for name, field in fields.items()}), problems


def unasked(settings: Settings, environment: Mapping[str, str]) -> set[Part]:
    """The parts with an address of which a driver would take a piece of the password for something else, and repeat it."""
    endpoints = [environment.get(name, "") for name in ENDPOINTS]
    dagster = settings.mlops_dagster_storage_url
    addresses = {
        Part.LAKE: [settings.lake_uri, *endpoints],
        Part.COMPUTE_LOGS: endpoints,
        Part.WAREHOUSE: [settings.warehouse_url.get_secret_value()],
        Part.MLFLOW: [settings.tracking_uri],
        Part.DAGSTER: [dagster.get_secret_value() if dagster else ""],
        Part.UPSTREAMS: [settings.socrata_url, settings.forest_api_url or "", settings.donostia_api_url],
    }
    return {part for part, ones in addresses.items() if any(is_ambiguous(one) or is_bucket_with_credentials(one) for one in ones)}


def _malformed(settings: Settings, environment: Mapping[str, str]) -> Iterator[Problem]:
    yield from _address("MLOPS_LAKE_URI", settings.lake_uri, LAKES, "a folder, s3://bucket/prefix or gs://bucket/prefix")
    expected = "duckdb:///file, postgresql://user:password@host/database or bigquery://project/dataset"
    yield from _address("MLOPS_WAREHOUSE_URL", settings.warehouse_url.get_secret_value(), WAREHOUSES, expected, host=False)
    yield from _address("MLFLOW_TRACKING_URI", settings.tracking_uri, TRACKING, "http://host:5000, or unset for SQLite", host=False)
    if settings.mlflow_artifacts_destination:
        destination = settings.mlflow_artifacts_destination
        yield from _address("MLFLOW_ARTIFACTS_DESTINATION", destination, LAKES, "a folder, s3://bucket/prefix or gs://bucket/prefix")
    if settings.mlops_dagster_storage_url:
        url = settings.mlops_dagster_storage_url.get_secret_value()
        yield from _address("MLOPS_DAGSTER_STORAGE_URL", url, DATABASES, "postgresql://user:password@host/database", host=False)
    webhook = settings.mlops_alert_webhook_url.get_secret_value() if settings.mlops_alert_webhook_url else None
    web: dict[str, str | None] = {
        "SOCRATA_URL": settings.socrata_url,
        "FOREST_API_URL": settings.forest_api_url,
        "DONOSTIA_API_URL": settings.donostia_api_url,
        "MLOPS_API_URL": settings.mlops_api_url,
        "MLOPS_ALERT_WEBHOOK_URL": webhook,
        "DAGSTER_UI_URL": settings.dagster_ui_url,
        "MLFLOW_UI_URL": settings.mlflow_ui_url,
        **{name: environment.get(name) for name in ENDPOINTS},
    }
    for name, address in web.items():
        if address:
            yield from _address(name, address, WEB, "an address that begins with http:// or https://")
    bucket = settings.mlops_compute_logs_bucket
    if bucket and set(bucket) & set(":/"):
        yield Problem(Part.SETTINGS, "MLOPS_COMPUTE_LOGS_BUCKET: is an address, not the name of a bucket", "write the bucket's name only")


def _address(name: str, address: str, schemes: tuple[str, ...], expected: str, *, host: bool = True) -> Iterator[Problem]:
    """The problem of an address with another scheme, without a host (of a bucket's: without the bucket), or with a port that is none.

    So is one with credentials that cannot be told from the rest.
    A plain folder is an address where `file` is one, unless it looks like an address with a slash missing.
    """
    if is_bucket_with_credentials(address):
        remedy = "take user and password out, or the @: keys are set as AWS_ACCESS_KEY_ID or GOOGLE_APPLICATION_CREDENTIALS"
        yield Problem(Part.SETTINGS, f"{name}: has an @, and a bucket's address has no user and password", remedy)
        return
    if is_ambiguous(address):
        what = f"{name}: has one of / # ? @ \\ or white space in its user or password, so these end in the wrong place"
        yield Problem(Part.SETTINGS, what, f"percent-encode the password: {ENCODED}")
        return
    try:
        parts = urlsplit(address)
        _ = parts.port if host else None  # ValueError if it is none
    except ValueError:
        yield Problem(Part.SETTINGS, f"{name}: is no address", f"write {expected}")
        return
    is_folder = "://" not in address and "file" in schemes
    if is_folder:
        name_of_scheme = Path(address).relative_to(PROJECT_DIR).parts[:1] if Path(address).is_relative_to(PROJECT_DIR) else ()
        if name_of_scheme and name_of_scheme[0] in {f"{scheme}:" for scheme in schemes}:
            yield Problem(Part.SETTINGS, f"{name}: would be a folder called {name_of_scheme[0]}", f"write {expected}")
    elif "://" not in address or parts.scheme not in schemes:
        yield Problem(Part.SETTINGS, f"{name}: begins with none of {', '.join(f'{scheme}://' for scheme in schemes)}", f"write {expected}")
    elif host and parts.scheme != "file" and not parts.netloc:
        yield Problem(Part.SETTINGS, f"{name}: names no {'bucket' if parts.scheme in LAKES else 'host'}", f"write {expected}")


def _halves(settings: Settings, environment: Mapping[str, str]) -> Iterator[Problem]:
    uses_s3 = settings.lake_uri.startswith("s3://") or bool(settings.mlops_compute_logs_bucket)
    if uses_s3:
        yield from _pair(environment, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    if settings.tracking_uri.startswith(WEB):
        yield from _pair(environment, "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    key = environment.get("GOOGLE_APPLICATION_CREDENTIALS")
    if key and not Path(key).is_file():
        yield Problem(Part.SETTINGS, f"GOOGLE_APPLICATION_CREDENTIALS: there is no file {key}", "name the key's JSON file, or unset it")


def _pair(environment: Mapping[str, str], first: str, second: str) -> Iterator[Problem]:
    for there, missing in ((first, second), (second, first)):
        if environment.get(there) and not environment.get(missing):
            yield Problem(Part.SETTINGS, f"{there} is set and {missing} is not", f"set {missing}, or unset {there}")


def _misspelled(environment: Mapping[str, str]) -> Iterator[Problem]:
    known = [*(name.upper() for name in Settings.model_fields), *FOREIGN]
    for name in sorted(environment):
        if name.startswith(PREFIXES) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
            if near:
                yield Problem(Part.SETTINGS, f"there is no setting {name}: did you mean {near[0]}?", f"rename it to {near[0]}, or unset it")
