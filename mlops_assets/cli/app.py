"""The root of the command line: its commands, and how errors and the environment are handled for all of them."""

import os
import sys
from contextlib import suppress

import typer
from dotenv import load_dotenv

from mlops_assets.cli import code_server, dashboard, dev, doctor, hour, lake, models, run, sandbox, serve
from mlops_assets.doctor import Part, Problem, UnsoundError, examine, problems_of, text_of
from mlops_assets.doctor.settings import read_settings
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
app.command("code-server")(code_server.code_server)
app.command("doctor")(doctor.doctor)
app.add_typer(models.app, name="models")
app.add_typer(lake.app, name="lake")


@app.callback()
def _require_settings(context: typer.Context) -> None:
    """Only the doctor goes on with settings that cannot be read: it says what else there is."""
    settings, refused = context.obj
    if refused and context.invoked_subcommand != "doctor":
        raise UnsoundError(text_of([*refused, *problems_of(examine(settings, [Part.SETTINGS]))]))


def main() -> None:
    """Entry point: shares the checkout's Dagster instance and local state with `dg` and `dagster`."""
    prepare_process()
    try:
        app(prog_name="mlops-assets", obj=_share_local_state())
    except ModuleNotFoundError as error:
        typer.secho(f"mlops-assets: {error.name} is not installed here: an image holds what its own service needs", fg="red", err=True)
        sys.exit(2)
    except (LookupError, ValueError, OSError, UpstreamError) as error:
        typer.secho(f"mlops-assets: {error}", fg="red", err=True)
        sys.exit(2)
    except Exception as error:
        if not _is_of_mlflow(error):
            raise
        typer.secho(f"mlops-assets: {' '.join(str(error).split())}", fg="red", err=True)
        sys.exit(2)


def _is_of_mlflow(error: Exception) -> bool:
    """Whether the registry raised it; told by name, for to import MLflow takes seconds."""
    return any(kind.__module__ == "mlflow.exceptions" for kind in type(error).__mro__)


def _share_local_state() -> tuple[Settings, list[Problem]]:
    """The settings, and what is wrong with them."""
    with suppress(UnicodeDecodeError, OSError):  # which `read_settings` says
        load_dotenv(PROJECT_DIR / ".env", override=False)
    os.environ.setdefault("DAGSTER_HOME", str(PROJECT_DIR))
    settings, problems = read_settings()
    os.environ.update(MLOPS_HOME=str(settings.home), MLOPS_DAGSTER_DIR=str(settings.home / "dagster"))
    return settings, problems
