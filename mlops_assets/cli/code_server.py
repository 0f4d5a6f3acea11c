"""`mlops-assets code-server`: Dagster's code server, on which a deployment's runs execute, started only where it can work."""

import os
import sys
from typing import Annotated

import typer

from mlops_assets.cli.listening import require_free
from mlops_assets.doctor import RUN_PARTS, require_sound
from mlops_assets.settings import Settings


def code_server(
    host: Annotated[str, typer.Option(help="Address to listen on; whoever reaches it can start runs, so never a public one")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port")] = 4000,
) -> None:
    """Serve the code to Dagster's webserver and daemon over gRPC, and execute their runs.

    Refuses to start while a store or a server is missing. Runs that died with the server before it are reported failed first, so that
    Dagster's run retries start them again.
    """
    require_sound(Settings(), RUN_PARTS)
    require_free(port, "mlops-assets code-server --port 4001, or stop what runs there")
    import dagster as dg

    from mlops_assets.cli.dead_runs import end_runs_of_server
    from mlops_assets.definitions import defs
    from mlops_assets.factories.pools import announce_pools

    with dg.DagsterInstance.get() as instance:
        for run_id in end_runs_of_server(instance, port):
            typer.echo(f"run {run_id} had died with the code server before this one; it is ended in Dagster and in MLflow")
        announce_pools(instance, defs)
    command = [sys.executable, "-m", "dagster", "code-server", "start", "--host", host, "--port", str(port), *_code_location()]
    sys.stdout.flush()
    # This process becomes the server, so signals reach it and nothing stands between.
    os.execv(sys.executable, command)  # noqa: S606


def _code_location() -> list[str]:
    return ["--module-name", "mlops_assets.definitions", "--attribute", "defs", "--location-name", "mlops_assets"]
