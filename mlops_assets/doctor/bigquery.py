"""A BigQuery dataset: whether these credentials may use it, and its tables' types. Comes with the `cloud` extra."""

from contextlib import closing
from typing import Any

from mlops_assets.doctor.problem import Finding, Part, Problem
from mlops_assets.doctor.web import cause
from mlops_assets.domain import Table

CREDENTIALS = "set GOOGLE_APPLICATION_CREDENTIALS to a service account's key file, or run `gcloud auth application-default login`"
ONCE: Any = {"retry": None, "timeout": 5}
"""How each question is asked."""
ROLES = "give the account roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser on the project"


def finding(url: str, tables: list[Table]) -> Finding:
    """A dataset that does not exist is made by the first writer; a query that costs nothing is run."""
    try:
        from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import bigquery
        from requests import RequestException

        from mlops_assets.storage.warehouse.bigquery_engine import ADDRESS, BigquerySession
    except ImportError:
        missing = Problem(Part.WAREHOUSE, "BigQuery's client is not installed", "pip install 'mlops-assets[cloud]'")
        return Finding(Part.WAREHOUSE, "bigquery://", "", (missing,))
    from mlops_assets.doctor.warehouse import clashes

    address = ADDRESS.fullmatch(url)
    if address is None:
        what = "MLOPS_WAREHOUSE_URL is no BigQuery address"
        return Finding(Part.WAREHOUSE, url, "", (Problem(Part.WAREHOUSE, what, "write bigquery://project/dataset?location=EU"),))
    problems: list[Problem] = []
    try:
        with closing(bigquery.Client(project=address["project"], location=address["region"])) as client:
            client.query("SELECT 1", **ONCE, job_config=bigquery.QueryJobConfig(dry_run=True))
            try:
                client.get_dataset(f"{address['project']}.{address['dataset']}", **ONCE)
                session = BigquerySession(client, address["dataset"], [])
                problems = list(clashes(tables, session.columns, "bigquery"))
            except NotFound:
                pass
    except Forbidden as error:
        problems = [Problem(Part.WAREHOUSE, f"BigQuery refuses: {error.message}", ROLES)]
    except NotFound as error:
        problems = [Problem(Part.WAREHOUSE, f"BigQuery does not find it: {error.message}", "correct project and location in the address")]
    except GoogleAuthError as error:
        problems = [Problem(Part.WAREHOUSE, f"Google takes no credentials: {error}", CREDENTIALS)]
    except (GoogleAPIError, RequestException) as error:
        remedy = "look whether this machine reaches the address, and ask again"
        problems = [Problem(Part.WAREHOUSE, f"BigQuery cannot be asked: {cause(error)}", remedy, heals=True)]
    return Finding(Part.WAREHOUSE, f"bigquery://{address['project']}/{address['dataset']}", "BigQuery", tuple(problems))
