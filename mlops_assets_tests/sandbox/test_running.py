"""Sandboxes as a process that serves until it is told to end."""

import json
import signal
import subprocess
import sys
from urllib.parse import urljoin

import pytest
import requests

PROGRAM = """
import json
from mlops_assets.sandbox.donostia import DonostiaSandbox
from mlops_assets.sandbox.forest_cover import ForestCoverSandbox
from mlops_assets.sandbox.running import serve
from mlops_assets.sandbox.socrata import SocrataSandbox
sandboxes = {
    "crimes": SocrataSandbox(rows_per_month=10), "samples": ForestCoverSandbox(batch_rows=10), "parkings": DonostiaSandbox()
}
serve(sandboxes, lambda urls: print(json.dumps(urls), flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_stops_on_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        urls = json.loads(process.stdout.readline())
        assert list(urls) == ["crimes", "samples", "parkings"]
        with requests.Session() as session:
            for url in urls.values():
                assert session.get(urljoin(url, "/_sandbox/stats"), timeout=10).status_code == 200
            process.send_signal(number)
            assert process.wait(timeout=20) == 0
