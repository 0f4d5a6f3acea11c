"""That the servers are what a deployment has: they refuse strangers."""

import psycopg2
import pytest
import requests

from mlops_assets_tests.services.ceph import CephGateway
from mlops_assets_tests.services.mlflow_server import ALLOWED_HOSTS, MlflowServer
from mlops_assets_tests.services.postgresql import PostgresqlServer

pytestmark = pytest.mark.services


def test_mlflow_answers_to_the_names_it_is_given_and_to_no_other(mlflow_server: MlflowServer) -> None:
    def status(host: str) -> int:
        return requests.get(
            f"{mlflow_server.url}/api/2.0/mlflow/experiments/get?experiment_id=0", headers={"Host": host}, timeout=30
        ).status_code

    assert [status(host) for host in (ALLOWED_HOSTS[0], "localhost:5000", "rebound.example")] == [200, 200, 403]


def test_mlflow_runs_no_jobs(mlflow_server: MlflowServer) -> None:
    answer = requests.post(f"{mlflow_server.url}/ajax-api/3.0/jobs", json={"job_name": "any", "params": {}}, timeout=30)

    assert not answer.ok


def test_postgresql_and_the_store_let_nobody_in_without_a_key(ceph: CephGateway, postgresql: PostgresqlServer) -> None:
    assert requests.get(f"{ceph.url}/{ceph.make_bucket()}", timeout=30).status_code == 403
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        postgresql.ask("SELECT 1", postgresql.database().replace(":", ":x", 2).replace("postgresql:x", "postgresql:"))
