"""`mlops-assets hour`: one hour of a forecasting system without a daemon, as a cron job or a scheduled workflow calls it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from mlops_assets.doctor import RUN_PARTS, require_sound
from mlops_assets.domain import ForecastDomain
from mlops_assets.domains import DOMAINS
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

console = Console()
FORECASTING = [name for name, domain in DOMAINS.items() if isinstance(domain, ForecastDomain)]


def hour(
    name: Annotated[str, typer.Argument(help=f"The system: {', '.join(FORECASTING)}")] = "donostia_parking",
    burst_minutes: Annotated[float | None, typer.Option(min=0, max=55, help="Read on for so long; default: DONOSTIA_BURST_MINUTES")] = None,
    burst_seconds: Annotated[
        float | None, typer.Option(min=1, help="Between the readings of a burst; default: DONOSTIA_BURST_SECONDS")
    ] = None,
) -> None:
    """Ingest the hour that is running; for the last hour that has ended, compare the candidates if that is due, and forecast."""
    domain = DOMAINS.get(name)
    if not isinstance(domain, ForecastDomain):
        raise ValueError(f"there is no forecasting system {name!r}; there are: {', '.join(FORECASTING)}")
    require_sound(Settings(), RUN_PARTS)
    console.print(f"[bold]{domain.title}[/bold]: loading the platform")
    burst = {"burst_minutes": burst_minutes, "burst_seconds": burst_seconds}
    succeeded = _hour(domain, {key: value for key, value in burst.items() if value is not None})
    raise typer.Exit(0 if succeeded else 1)


def _hour(domain: ForecastDomain, burst: dict[str, Any]) -> bool:
    from mlops_assets.cli.dead_runs import end_dead_runs
    from mlops_assets.cli.instance import open_instance
    from mlops_assets.cli.jobs import MONITORING_JOB, execute
    from mlops_assets.cli.outcome import is_broken, print_failure
    from mlops_assets.definitions import build_defs
    from mlops_assets.hours import hour_key

    defs = build_defs()
    with open_instance() as instance:
        end_dead_runs(instance)
        config = {f"{domain.name}__raw_readings": {"config": burst}} if burst else {}
        ingest = execute(defs, instance, f"{domain.name}_ingest", console, partition=hour_key(datetime.now(UTC)), config=config)
        # A reading that fails is a gap in the series; the forecast of the hour before does not wait for it.
        later = _forecast(domain, defs, instance)
        execute(defs, instance, MONITORING_JOB, console)
    failed = [result for result in (ingest, *later) if not result.success and is_broken(domain, result)]
    for result in failed:
        print_failure(console, result)
    return not failed


def _forecast(domain: ForecastDomain, defs: "dg.Definitions", instance: "dg.DagsterInstance") -> "list[dg.ExecuteInProcessResult]":
    from mlops_assets.cli.jobs import execute
    from mlops_assets.factories.due import due
    from mlops_assets.storage.resource import LakeResource
    from mlops_assets.storage.warehouse_resource import WarehouseResource

    found = due(domain, WarehouseResource(), LakeResource(), datetime.now(UTC))
    if found is None:
        console.print("no hour that has ended is stored yet: the forecast begins with the next one")
        return []
    if found.frozen_since is not None:
        console.print(f"[yellow]no series has moved since {found.frozen_since:%Y-%m-%d %H:%M} UTC: nothing is forecast[/yellow]")
        return []
    stages = [stage for stage, is_due in {"training": found.training, "forecast": found.forecast}.items() if is_due]
    if not stages:
        console.print(f"hour {found.hour} is forecast already")
    return [execute(defs, instance, f"{domain.name}_{stage}", console, partition=found.hour) for stage in stages]
