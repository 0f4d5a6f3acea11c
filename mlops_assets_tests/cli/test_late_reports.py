"""Reports of dead runs that wait for their code server, and for the daemon."""

import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

SILENT = """
import sys
from mlops_assets.cli.late_reports import report_later
report_later("127.0.0.1", 9, sys.argv[1:])
"""
SERVING = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from mlops_assets.cli.late_reports import report_later

asked = threading.Event()

class Health(health_pb2_grpc.HealthServicer):
    def Check(self, request, context):
        context.add_callback(asked.set)
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

server = grpc.server(ThreadPoolExecutor(1))
health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
report_later("127.0.0.1", port, sys.argv[1:])
asked.wait()
server.stop(5).wait()
"""


@dg.job
def nothing() -> None:
    """A job for a run that never executes."""


@pytest.mark.parametrize("server", [SILENT, SERVING], ids=["before it answers", "before the daemon has loaded its code"])
def test_a_server_that_ends_too_early_leaves_the_report_to_the_next_one(home: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    (home.parent / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    with dg.DagsterInstance.get() as instance:
        run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
        if server is SERVING:
            instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "EVENT_LOG_CONSUMER", "1", []))

        # Its output ends when both processes have ended: the server, and what was to report.
        subprocess.run([sys.executable, "-c", server, run.run_id], stdout=subprocess.PIPE, check=True)

        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.STARTED
