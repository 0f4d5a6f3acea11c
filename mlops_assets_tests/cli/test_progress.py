"""The progress bar follows the run's own event log."""

import io

import dagster as dg
import pytest
from rich.console import Console

from mlops_assets.cli.progress import progress_of


@dg.asset
def first(context: dg.AssetExecutionContext) -> None:
    context.log.info("half way")


@dg.asset(deps=[first])
def second() -> None:
    """Follows."""


@pytest.mark.parametrize("is_broken", [False, True])
def test_progress_counts_the_steps_that_ended_even_if_the_block_raises(is_broken: bool) -> None:
    console = Console(file=io.StringIO(), width=140)
    job = dg.Definitions(assets=[first, second], jobs=[dg.define_asset_job("both", selection="*")]).resolve_job_def("both")
    run_id = "00000000-0000-0000-0000-000000000001"

    def execute(instance: dg.DagsterInstance) -> None:
        with progress_of(instance, run_id, "both", 2, console):
            job.execute_in_process(instance=instance, run_id=run_id)
            if is_broken:
                raise KeyboardInterrupt

    with dg.DagsterInstance.ephemeral() as instance:
        if is_broken:
            with pytest.raises(KeyboardInterrupt):
                execute(instance)
        else:
            execute(instance)

    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().splitlines()[-1]
    assert "both" in last
    assert "2/2 steps" in last
