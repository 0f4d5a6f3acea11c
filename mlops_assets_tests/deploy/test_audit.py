"""`.ci/audit`: its exit code tells a planted key or a known vulnerability from a service that does not answer."""

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASELINE = ROOT / ".secrets.baseline"
PASSED, FOUND, NOT_LOOKED_UP = 0, 1, 3
PINNED = "requests==2.34.2 --hash=sha256:" + 64 * "0" + "\n"
PLANTED = {
    # Put together here, or the scan would find them in this file.
    "key.py": 'KEY = "' + "AKIA" + "QWERTYUIOPASDFGH" + '"\n',
    "id_rsa": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n",
    "compose.yaml": "environment:\n  DEPLOY_DAGSTER_PASSWORD: " + "4f9a1c7b" + "e02d8365" + "aa10ee37" + "c2b9d4f8\n",
    "database.env": "MLOPS_WAREHOUSE_URL=postgresql://warehouse:" + "hunter2-and-more" + "@db/warehouse\n",
}


def _audit(part: str, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".ci/audit", part],
        env={**os.environ, "AUDIT_OUT": str(out), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with a file that holds no secret."""
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "settings.py").write_text('password = os.environ["PASSWORD"]\nurl = "postgresql://user:password@host/database"\n')
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return folder


@pytest.fixture
def advisories() -> Iterator[Callable[[list[dict[str, Any]]], str]]:
    """Starts an advisory service that answers every question in the same way, and gives its address."""
    servers = []

    def start(known: list[dict[str, Any]]) -> str:
        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                body = json.dumps({"vulns": known} if known else {}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on the terminal."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1/query"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_tree_without_secrets_passes(tree: Path, tmp_path: Path) -> None:
    ended = _audit("secrets", tmp_path, AUDIT_TREE=str(tree))

    assert (ended.returncode, ended.stderr) == (PASSED, "")
    assert "none in 1 files" in ended.stdout


def test_planted_keys_are_found_and_not_shown(tree: Path, tmp_path: Path) -> None:
    for name, content in PLANTED.items():
        (tree / name).write_text(content)

    ended = _audit("secrets", tmp_path, AUDIT_TREE=str(tree))

    assert ended.returncode == FOUND
    assert set(re.findall(r"Location:\s+(\S+):\d", ended.stdout)) == set(PLANTED)
    for content in PLANTED.values():
        secret = re.search(r"[^\s\"/:@]{14,}", content.splitlines()[-1])
        assert secret
        assert secret[0] not in ended.stdout + ended.stderr


def test_what_was_looked_at_is_little_explained_and_no_secret() -> None:
    results = json.loads(BASELINE.read_text())["results"]
    explained = (ROOT / "docs/security.md").read_text()

    assert [file for file, entries in results.items() for entry in entries if entry["is_secret"]] == []
    assert {file for file in results if not (ROOT / file).is_file()} == set()
    assert {file for file in results if f"`{file}`" not in explained} == set()
    assert len(results) <= 12


def test_bill_of_materials_has_every_pinned_package(tmp_path: Path) -> None:
    ended = _audit("sbom", tmp_path)

    assert ended.returncode == PASSED, ended.stderr
    bill = json.loads((tmp_path / "sbom.cdx.json").read_text())
    pinned = set(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements/app.txt").read_text(), re.MULTILINE))
    assert len(pinned) > 100
    assert {(part["name"], part["version"]) for part in bill["components"]} == pinned
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "mlops-assets")
    assert all(part["purl"].startswith("pkg:pypi/") for part in bill["components"])


def test_known_vulnerability_is_found_named_and_else_passed(advisories: Callable[..., str], tmp_path: Path) -> None:
    requirements = tmp_path / "app.txt"
    requirements.write_text(PINNED)
    known = {
        "id": "PYSEC-2026-1",
        "modified": "2026-01-01T00:00:00Z",
        "summary": "It leaks.",
        "affected": [
            {
                "package": {"name": "requests", "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.99"}]}],
            }
        ],
    }
    environment = {"AUDIT_REQUIREMENTS": str(requirements), "AUDIT_SERVICE": "osv"}

    vulnerable = _audit("vulnerabilities", tmp_path, **environment, AUDIT_OSV_URL=advisories([known]))
    sound = _audit("vulnerabilities", tmp_path, **environment, AUDIT_OSV_URL=advisories([]))

    assert vulnerable.returncode == FOUND
    assert "requests 2.34.2: PYSEC-2026-1, fixed in 2.99" in vulnerable.stdout
    assert (sound.returncode, sound.stdout) == (PASSED, "vulnerabilities: none in 1 packages\n")


def test_silence_of_the_service_is_no_pass(tmp_path: Path) -> None:
    requirements = tmp_path / "app.txt"
    requirements.write_text(PINNED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/v1/query"

    silent = _audit("vulnerabilities", tmp_path, AUDIT_REQUIREMENTS=str(requirements), AUDIT_SERVICE="osv", AUDIT_OSV_URL=closed)

    assert silent.returncode == NOT_LOOKED_UP
    assert "NOT LOOKED UP" in silent.stdout


def test_a_package_that_the_service_does_not_know_is_no_pass(tmp_path: Path) -> None:
    requirements = tmp_path / "app.txt"
    requirements.write_text("mlops-assets-which-nobody-has-published==1.0 --hash=sha256:" + 64 * "0" + "\n")

    # Without a network the service is silent, which ends in the same way.
    unknown = _audit("vulnerabilities", tmp_path, AUDIT_REQUIREMENTS=str(requirements))

    assert unknown.returncode == NOT_LOOKED_UP
    assert "NOT LOOKED UP" in unknown.stdout
