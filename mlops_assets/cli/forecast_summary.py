"""The table at the end of `mlops-assets run` for a system that forecasts: hours read, the candidates, and what comes next."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mlops_assets.cli.outcome import is_broken, print_failure, row_counts, verdict_of
from mlops_assets.cli.summary import add_verdict, print_where_to_look
from mlops_assets.domain import ForecastDomain

if TYPE_CHECKING:
    import dagster as dg


def print_forecast_summary(
    console: Console,
    domain: ForecastDomain,
    partitions: list[str],
    ingest: "dg.ExecuteInProcessResult",
    training: "dg.ExecuteInProcessResult | None" = None,
    forecast: "dg.ExecuteInProcessResult | None" = None,
) -> bool:
    """Prints the outcome; False if a run failed for any other reason than a challenger that did not win."""
    verdict = verdict_of(domain, training)
    if training is None or forecast is None or verdict is None or is_broken(domain, training) or not forecast.success:
        broken = training if training and (verdict is None or is_broken(domain, training)) else forecast
        print_failure(console, broken or ingest)
        return False
    hours = {partition for stage, partition in row_counts(ingest) if stage == "enriched"}
    table = Table(title=f"{domain.title}, {partitions[0]} to {partitions[-1]}", show_header=False, title_justify="left")
    table.add_row("hours", f"{len(hours):,} stored, {len(partitions) - len(hours):,} without a reading")
    add_verdict(table, domain, verdict)
    published = _metadata_of(forecast, "predictions")
    table.add_row("forecast", f"{domain.total}, the next {domain.horizon} hours: {published['outlook'].value}")
    table.add_row("by", f"{published['method'].value}, refitted on {published['train_points'].value} hours ({published['reason'].value})")
    console.print(table)
    print_where_to_look(console, domain)
    return True


def _metadata_of(result: "dg.ExecuteInProcessResult", stage: str) -> "dict[str, dg.MetadataValue]":
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        if materialization.asset_key.path[-1] == stage:
            return dict(materialization.metadata)
    raise LookupError(f"{result.job_def.name} stored no {stage}")
