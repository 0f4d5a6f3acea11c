"""The root of the command line: its commands, and how errors and the environment are handled for all of them."""

import os
import sys

import typer
from dotenv import load_dotenv

from mlops_assets.cli import dashboard, dev, hour, models, run, sandbox, serve
from mlops_assets.process import prepare_process
from mlops_assets.resources.upstream import UpstreamError
from mlops_assets.settings import PROJECT_DIR, Settings

ABOUT = "Machine-learning systems from raw data to a registered champion: run one, look at it, and trace its models."

app = typer.Typer(name="mlops-assets", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=ABOUT)
app.command("run")(run.run)
app.command("hour")(hour.hour)
app.command("sandbox")(sandbox.sandbox)
app.command("dev")(dev.dev)
app.command("mlflow")(dev.mlflow)
app.command("serve")(serve.serve)
app.command("dashboard")(dashboard.dashboard)
app.command("init")(dev.init)
app.add_typer(models.app, name="models")


def main() -> None:
    """Entry point: shares the checkout's Dagster instance and local state with `dg` and `dagster`."""
    prepare_process()
    try:
        _share_local_state()
        app(prog_name="mlops-assets")
    except (LookupError, ValueError, OSError, UpstreamError) as error:
        typer.secho(f"mlops-assets: {error}", fg="red", err=True)
        sys.exit(2)


def _share_local_state() -> None:
    load_dotenv(PROJECT_DIR / ".env", override=False)
    os.environ.setdefault("DAGSTER_HOME", str(PROJECT_DIR))
    home = Settings().home
    os.environ.update(MLOPS_HOME=str(home), MLOPS_DAGSTER_DIR=str(home / "dagster"))
