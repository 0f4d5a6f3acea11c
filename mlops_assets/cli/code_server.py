"""`mlops-assets code-server`: Dagster's code server, on which a deployment's runs execute, started only where it can work."""

import os
import signal
import sys
from typing import Annotated

import typer

from mlops_assets.cli.listening import require_free, reserve
from mlops_assets.doctor import RUN_PARTS, require_sound
from mlops_assets.settings import Settings


def code_server(
    host: Annotated[str, typer.Option(help="Address to listen on; whoever reaches it can start runs, so never a public one")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port")] = 4000,
) -> None:
    """Serve the code to Dagster's webserver and daemon over gRPC, and execute their runs.

    Refuses to start while a store or a server is missing. Runs that died with the server before it are reported failed as soon as the
    daemon knows this one, so that Dagster's run retries start them again.
    """
    settings = Settings()
    require_sound(settings, RUN_PARTS)
    remedy = "mlops-assets code-server --port 4001, or stop what runs there"
    require_free(port, remedy, host=host)
    reserve(port, remedy, host=host, folder=settings.home)  # two that start at once both find it free, and gRPC lets both listen
    from mlops_assets.cli.dead_runs import runs_of_dead_server
    from mlops_assets.cli.instance import open_instance
    from mlops_assets.cli.late_reports import report_later
    from mlops_assets.definitions import defs
    from mlops_assets.factories.pools import announce_pools

    with open_instance() as instance:
        dead = runs_of_dead_server(instance, port)
        announce_pools(instance, defs)
    for run_id in dead:
        typer.echo(f"run {run_id} had died with the code server before this one; it is ended once the daemon can retry it")
    if dead:
        report_later(host, port, dead)
    command = [sys.executable, "-m", "dagster", "code-server", "start", "--host", host, "--port", str(port), *_code_location()]
    sys.stdout.flush()
    # A script starts what it leaves in the background with SIGINT ignored, and Dagster treats SIGTERM as it finds SIGINT.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # This process becomes the server, so signals reach it and nothing stands between.
    os.execv(sys.executable, command)  # noqa: S606


def _code_location() -> list[str]:
    return ["--module-name", "mlops_assets.definitions", "--attribute", "defs", "--location-name", "mlops_assets"]
