"""The table at the end of `mlops-assets run`: what was read, how good the challenger is, and whether it became champion."""

from typing import TYPE_CHECKING, cast

from rich.console import Console
from rich.table import Table

from mlops_assets.domain import Domain
from mlops_assets.factories.automation import failure_text
from mlops_assets.factories.keys import asset_key
from mlops_assets.factories.release import GATE

if TYPE_CHECKING:
    import dagster as dg


def print_summary(
    console: Console,
    domain: Domain,
    partitions: list[str],
    ingest: "dg.ExecuteInProcessResult",
    training: "dg.ExecuteInProcessResult | None",
) -> bool:
    """Prints the outcome; False if a run failed for any other reason than a challenger that did not win."""
    verdict = _verdict(domain, training)
    if training is None or verdict is None or _failures(training, apart_from=_gate_step(domain)):
        _print_failure(console, ingest if training is None else training)
        return False
    rows = _row_counts(ingest)
    set_aside = sum(count for (stage, _), count in rows.items() if stage.startswith("rejected_"))
    enriched = sum(count for (stage, _), count in rows.items() if stage == "enriched")
    names = dict.fromkeys([*domain.gates.minimum, domain.gates.metric])
    metrics = cast(dict[str, dict[str, float]], verdict.metadata["metrics"].value)
    table = Table(title=f"{domain.title}, {partitions[0]} to {partitions[-1]}", show_header=False, title_justify="left")
    table.add_row("partitions", f"{len(partitions)}")
    table.add_row("rows", f"{enriched:,} enriched, {set_aside:,} set aside")
    for side in ("challenger", "champion"):
        shown = "   ".join(f"{name} {metrics[side][name]:.4f}" for name in names) if side in metrics else "none before this run"
        table.add_row(side if side == "challenger" else "champion until now", shown)
    table.add_row("registered", f"{domain.model_name} version {verdict.metadata['version'].value}")
    table.add_row("promoted", f"{'yes' if verdict.passed else 'no'}: {verdict.description}")
    console.print(table)
    console.print("Dagster UI: [bold]make dev[/bold]   MLflow UI: [bold]make mlflow[/bold]   provenance: ", end="")
    console.print(f"[bold].venv/bin/mlops-assets models trace {domain.model_name}@champion[/bold]", highlight=False)
    return True


def _verdict(domain: Domain, training: "dg.ExecuteInProcessResult | None") -> "dg.AssetCheckEvaluation | None":
    evaluations = training.get_asset_check_evaluations() if training else []
    of_gate = [item for item in evaluations if item.asset_key == asset_key(domain, "registered_model") and item.check_name == GATE]
    return of_gate[-1] if of_gate else None


def _gate_step(domain: Domain) -> str:
    return f"{domain.name}__registered_model_{GATE}"


def _failures(result: "dg.ExecuteInProcessResult", apart_from: str = "") -> list["dg.DagsterEvent"]:
    return [event for event in result.all_events if event.is_step_failure and event.step_key != apart_from]


def _row_counts(result: "dg.ExecuteInProcessResult") -> dict[tuple[str, str], int]:
    """Rows of each stage and partition that the run materialized."""
    counts = {}
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        if "dagster/row_count" in materialization.metadata:
            where = (materialization.asset_key.path[-1], str(materialization.partition))
            counts[where] = int(str(materialization.metadata["dagster/row_count"].value))
    return counts


def _print_failure(console: Console, result: "dg.ExecuteInProcessResult") -> None:
    console.print(f"[bold red]{result.job_def.name} failed[/bold red] (run {result.run_id}; `make dev` shows it whole)")
    for event in _failures(result):
        console.print(f"  {event.step_key}: {failure_text(event.step_failure_data)}", highlight=False, markup=False)
