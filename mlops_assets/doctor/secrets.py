"""No password in any text: drivers repeat addresses, headers and keys in their messages, so every text goes through `Censor`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import parse_qs, unquote, unquote_plus, urlsplit

from pydantic import SecretStr

from mlops_assets.doctor.credentials import credentials_of
from mlops_assets.doctor.problem import Finding
from mlops_assets.settings import Settings

HIDDEN = "***"
VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PGPASSWORD",
)
"""Credentials that drivers read by themselves."""
LEAST_CHARACTERS = 3
"""What is shorter keeps nothing secret: to hide it would spell it out by the holes in every word."""
PARAMETERS = ("password", "sslpassword", "passfile", "token", "api_key")
"""Query parameters of addresses that are credentials."""
ENDS = re.compile(r"[@/?#\\:\s]+")
"""Where one driver or another takes a password to end."""


class Censor:
    """Knows every secret of the settings and of the environment, and takes them out of texts."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        secrets = {secret for found in (*_of_settings(settings), *_of_environment(environment)) for secret in _readings(found)}
        self._secrets = sorted(secrets, key=len, reverse=True)  # one may be a part of another

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def finding(self, finding: Finding) -> Finding:
        """The finding without them, its problems as well."""
        problems = tuple(replace(problem, what=self.text(problem.what), remedy=self.text(problem.remedy)) for problem in finding.problems)
        return replace(finding, address=self.text(finding.address), version=self.text(finding.version), problems=problems)


def _of_settings(settings: Settings) -> Iterator[str]:
    yield from settings.api_keys
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        if isinstance(value, SecretStr | str):
            yield from _of_address(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    for name in VARIABLES:
        yield environment.get(name, "")
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MLFLOW_TRACKING_URI", "HTTP_PROXY", "HTTPS_PROXY"):
        yield from _of_address(environment.get(name, ""))


def _of_address(address: str) -> Iterator[str]:
    """Every reading of the password in it: with an `@` or a `/` that is not percent-encoded there is more than one."""
    credentials = credentials_of(address)
    password = credentials.partition(":")[2]
    yield password
    yield password.partition("@")[0]
    yield from ENDS.split(password)
    yield credentials.partition("@")[2]
    try:
        parts = urlsplit(address)
        yield parts.password or ""
        for parameter in PARAMETERS:
            yield from parse_qs(parts.query).get(parameter, [])
    except ValueError:  # no address at all, which the settings' own check says
        return


def _readings(secret: str) -> set[str]:
    """As it is, decoded, and each with its white space collapsed, as texts of drivers are."""
    readings = [secret, unquote(secret), unquote_plus(secret)]
    readings += [" ".join(reading.split()) for reading in readings]
    return {reading for reading in readings if len(reading.strip()) >= LEAST_CHARACTERS}
