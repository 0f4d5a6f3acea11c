"""The table at the end of `mlops-assets run`: what was read, how good the challenger is, and whether it became champion."""

from typing import TYPE_CHECKING, cast

from rich.console import Console
from rich.table import Table

from mlops_assets.cli.outcome import is_broken, print_failure, row_counts, verdict_of
from mlops_assets.domain import Domain
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg


def print_summary(
    console: Console,
    domain: Domain,
    partitions: list[str],
    ingest: "dg.ExecuteInProcessResult",
    training: "dg.ExecuteInProcessResult | None" = None,
) -> bool:
    """Prints the outcome; False if a run failed for any other reason than a challenger that did not win."""
    verdict = verdict_of(domain, training)
    if training is None or verdict is None or is_broken(domain, training):
        print_failure(console, ingest if training is None else training)
        return False
    rows = row_counts(ingest)
    set_aside = sum(count for (stage, _), count in rows.items() if stage.startswith("rejected_"))
    enriched = sum(count for (stage, _), count in rows.items() if stage == "enriched")
    table = Table(title=f"{domain.title}, {partitions[0]} to {partitions[-1]}", show_header=False, title_justify="left")
    table.add_row("partitions", f"{len(partitions)}")
    table.add_row("rows", f"{enriched:,} enriched, {set_aside:,} set aside")
    add_verdict(table, domain, verdict)
    console.print(table)
    print_where_to_look(console, domain)
    return True


def add_verdict(table: Table, domain: Domain, verdict: "dg.AssetCheckEvaluation") -> None:
    """Rows with both models' metrics, the version, and whether it was promoted and why."""
    names = dict.fromkeys([*domain.gates.minimum, *domain.gates.maximum, domain.gates.metric])
    metrics = cast(dict[str, dict[str, float]], verdict.metadata["metrics"].value)
    for side in ("challenger", "champion"):
        shown = "   ".join(f"{name} {metrics[side][name]:.4f}" for name in names) if side in metrics else "none before this run"
        table.add_row(side if side == "challenger" else "champion until now", shown)
    table.add_row("registered", f"{domain.model_name} version {verdict.metadata['version'].value}")
    table.add_row("promoted", f"{'yes' if verdict.passed else 'no'}: {verdict.description}")


def print_where_to_look(console: Console, domain: Domain) -> None:
    """The commands that show more, and the address of an MLflow server."""
    server = Settings().mlflow_tracking_uri
    mlflow = server if server and server.startswith("http") else "make mlflow"
    console.print(f"Dagster UI: [bold]make dev[/bold]   MLflow UI: [bold]{mlflow}[/bold]   provenance: ", end="")
    console.print(f"[bold].venv/bin/mlops-assets models trace {domain.model_name}@champion[/bold]", highlight=False)
