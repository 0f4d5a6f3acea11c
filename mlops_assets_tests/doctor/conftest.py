"""A platform whose parts a test breaks: local state in a folder of its own, real servers, and secrets that no text may show."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlops_assets.doctor import Finding, Part, Problem, examine
from mlops_assets.settings import Settings
from mlops_assets_tests.storage.conftest import (  # noqa: F401  # fixtures, which other fixtures ask for by name
    bucket,
    gcs_bucket,
    gcs_server,
    s3_environment,
    s3_server,
    signatures_checked,
)

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "aws-secret-0815",
    "AWS_SESSION_TOKEN": "aws-token-0815",
    "MLFLOW_TRACKING_USERNAME": "mlflow-user",
    "MLFLOW_TRACKING_PASSWORD": "mlflow-pass-0815",
    "MLOPS_API_KEYS": "first-key-0815-of-enough, second-key-0815-of-enough",
    "SOCRATA_APP_TOKEN": "token-0815",
    "MLOPS_ALERT_WEBHOOK_URL": "https://hooks.example/hook-0815",
}
PASSWORD = "pass-0815"
"""In every address that has one."""
Examine = Callable[..., list[Problem]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All local state; nothing but defaults is set."""
    for name in [*(field.upper() for field in Settings.model_fields), *SECRETS, "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"]:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "my home"
    monkeypatch.setenv("MLOPS_HOME", str(folder))
    monkeypatch.setenv("MLOPS_DAGSTER_DIR", str(folder / "dagster"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return folder


@pytest.fixture
def findings() -> Callable[..., list[Finding]]:
    """What the parts are like, as the environment is now."""

    def found(*parts: Part, thorough: bool = True) -> list[Finding]:
        result = examine(Settings(_env_file=None), parts, thorough=thorough)
        assert "0815" not in repr(result)
        return result

    return found


@pytest.fixture
def problems(findings: Callable[..., list[Finding]]) -> Examine:
    """The problems of the parts, as the environment is now."""

    def found(*parts: Part, thorough: bool = True) -> list[Problem]:
        return [problem for finding in findings(*parts, thorough=thorough) for problem in finding.problems]

    return found


@contextlib.contextmanager
def answering(
    status: int, body: bytes = b"", *, content_type: str = "text/plain", date: str | None = None, location: str = ""
) -> Iterator[str]:
    """The address of a server that gives this answer to every request."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815  # the standard library's names

        def date_time_string(self, timestamp: float | None = None) -> str:
            return date or super().date_time_string(timestamp)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def closed() -> str:
    """An address of this machine on which nothing listens."""
    return "127.0.0.1:9"


def in_the_way(path: Path) -> None:
    """Nothing can be written below a file, whoever tries; root is stopped by no mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file")


def only(problems: list[Problem]) -> Problem:
    """The one problem there is."""
    assert len(problems) == 1, problems
    return problems[0]
