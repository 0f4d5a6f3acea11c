"""What the events of a run say: the gate's verdict, what failed, how many rows were stored."""

from typing import TYPE_CHECKING

from rich.console import Console

from mlops_assets.domain import Domain
from mlops_assets.factories.automation import failure_text
from mlops_assets.factories.keys import asset_key
from mlops_assets.factories.release import GATE

if TYPE_CHECKING:
    import dagster as dg


def verdict_of(domain: Domain, training: "dg.ExecuteInProcessResult | None") -> "dg.AssetCheckEvaluation | None":
    """The gate's evaluation; None if the run did not come so far."""
    evaluations = training.get_asset_check_evaluations() if training else []
    of_gate = [item for item in evaluations if item.asset_key == asset_key(domain, "registered_model") and item.check_name == GATE]
    return of_gate[-1] if of_gate else None


def is_broken(domain: Domain, training: "dg.ExecuteInProcessResult") -> bool:
    """Whether the run failed for any other reason than a challenger that did not win."""
    gate = f"{domain.name}__registered_model_{GATE}"
    return any(event.step_key != gate for event in _failures(training))


def row_counts(result: "dg.ExecuteInProcessResult") -> dict[tuple[str, str], int]:
    """Rows of each stage and partition that the run materialized."""
    counts = {}
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        if "dagster/row_count" in materialization.metadata:
            where = (materialization.asset_key.path[-1], str(materialization.partition))
            counts[where] = int(str(materialization.metadata["dagster/row_count"].value))
    return counts


def print_failure(console: Console, result: "dg.ExecuteInProcessResult") -> None:
    """The job, its run, and what each failed step or blocking check says."""
    console.print(f"[bold red]{result.job_def.name} failed[/bold red] (run {result.run_id}; `make dev` shows it whole)")
    failed = [item for item in result.get_asset_check_evaluations() if item.blocking and not item.passed and item.description]
    said = {f"{item.asset_key.to_python_identifier()}_{item.check_name}": item.description for item in failed}
    for event in _failures(result):
        step = str(event.step_key)
        console.print(f"  {step}: {said.get(step) or failure_text(event.step_failure_data)}", highlight=False, markup=False)


def _failures(result: "dg.ExecuteInProcessResult") -> "list[dg.DagsterEvent]":
    return [event for event in result.all_events if event.is_step_failure]
