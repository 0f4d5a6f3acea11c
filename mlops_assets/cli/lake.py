"""`mlops-assets lake`: the buckets that a deployment stores in."""

import os
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_assets.doctor import Part, require_sound
from mlops_assets.doctor.secrets import Censor
from mlops_assets.settings import Settings
from mlops_assets.storage.buckets import Change, Outcome, prepare

if TYPE_CHECKING:
    import dagster as dg

app = typer.Typer(no_args_is_help=True, help="The buckets of lake, MLflow's artifacts and compute logs.")

DONE = (Outcome.MADE, Outcome.CHANGED, Outcome.REMOVED)


@app.callback()
def lake() -> None:
    """The buckets of lake, MLflow's artifacts and compute logs."""


@app.command()
def init(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and touch nothing")] = False,
    location: Annotated[str, typer.Option(help="Where new buckets of Google Cloud Storage are made, such as EU")] = "",
) -> None:
    """Make the buckets there are to be, shut them to the public, and let intermediate stages expire. Doing it again changes nothing."""
    settings = Settings()
    require_sound(settings, [Part.SETTINGS])
    from mlops_assets.definitions import defs

    censor = Censor(settings, os.environ)
    changes = prepare(settings, intermediate_assets(defs), location=location, dry_run=dry_run)
    for place, parts in groupby(changes, key=lambda change: change.place):
        typer.echo(censor.text(place))
        for change in parts:
            typer.echo(censor.text(f"  {_line(change, dry_run)}"))
    raise typer.Exit(1 if any(change.outcome is Outcome.FAILED for change in changes) else 0)


def intermediate_assets(defs: "dg.Definitions") -> list[str]:
    """The assets, as `domain/stage`, that nothing but the training of their own partition reads."""
    from mlops_assets.factories.keys import INTERMEDIATE, RETENTION

    graph = defs.resolve_asset_graph()
    return sorted(key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).tags.get(RETENTION) == INTERMEDIATE)


def _line(change: Change, dry_run: bool) -> str:
    outcome = f"would be {change.outcome}" if dry_run and change.outcome in DONE else change.outcome.value
    return f"{outcome:<{16 if dry_run else 12}} {change.part}{f': {change.detail}' if change.detail else ''}"
