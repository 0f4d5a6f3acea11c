"""`mlops-assets run`: one system's main job from the upstream to the champion, and what came of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mlops_assets.cli.dev import Upstream, UpstreamOption
from mlops_assets.cli.sandbox import running_sandbox
from mlops_assets.doctor import RUN_PARTS, require_sound
from mlops_assets.domain import Domain, ForecastDomain
from mlops_assets.domains import DOMAINS
from mlops_assets.hours import hour_key
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

console = Console()


def run(
    name: Annotated[str, typer.Argument(help=f"The system: {', '.join(DOMAINS)}")] = "chicago_crime",
    upstream: UpstreamOption = Upstream.SANDBOX,
    replay: Annotated[Path | None, typer.Option(help="Folder of real exports that the sandbox serves")] = None,
    whole_batches: Annotated[
        bool, typer.Option("--whole-batches", help="The sandbox's forest API gives whole batches, not a tenth a call")
    ] = False,
    partition: Annotated[
        str | None, typer.Option(help="The partition to train; default: the newest one that the upstream has whole")
    ] = None,
) -> None:
    """Ingest what training of the partition reads, train, register, and promote the model if it is better than the champion."""
    if name not in DOMAINS:
        raise ValueError(f"there is no system {name!r}; there are: {', '.join(DOMAINS)}")
    domain = DOMAINS[name]
    require_sound(Settings(), RUN_PARTS)
    console.print(f"[bold]{domain.title}[/bold]: loading the platform")
    if replay and upstream is Upstream.LIVE:
        raise ValueError("--replay is served by the sandbox: it cannot go with --upstream live")
    if partition is not None:
        _require_partition(domain, partition)
    with _upstream(upstream, replay, whole_batches):
        _run(domain, _partitions_to_ingest(domain, partition))


def _require_partition(domain: Domain, partition: str) -> None:
    from mlops_assets.partitions import window_of

    try:
        window_of(domain.cadence, partition)
    except ValueError as error:
        raise ValueError(f"{domain.name}: {error}") from None


@contextmanager
def _upstream(upstream: Upstream, replay: Path | None, whole_batches: bool) -> Iterator[None]:
    if upstream is Upstream.LIVE:
        yield
        return
    with running_sandbox(replay, whole_batches=whole_batches) as environment:
        os.environ.update(environment)
        yield


def _partitions_to_ingest(domain: Domain, last: str | None) -> list[str]:
    from mlops_assets.definitions import default_resources

    source = import_module(f"mlops_assets.domains.{domain.name}.ingest")
    partitions: list[str] = source.partitions_to_ingest(default_resources(), last)
    return partitions


def _run(domain: Domain, partitions: list[str]) -> None:
    from mlops_assets.cli.dead_runs import end_dead_runs
    from mlops_assets.cli.instance import open_instance
    from mlops_assets.cli.jobs import MONITORING_JOB, execute
    from mlops_assets.definitions import build_defs

    defs = build_defs()
    with open_instance() as instance:
        end_dead_runs(instance)
        ingest = execute(defs, instance, f"{domain.name}_ingest", console, partitions=partitions)
        last = partitions[-1]
        if ingest.success and is_running(domain, last):
            console.print(
                f"hour {last} is read. It is forecast from once it has ended: [bold]make dev[/bold], switch on the sensor; or "
                f"[bold].venv/bin/mlops-assets hour {domain.name}[/bold] every hour"
            )
            raise typer.Exit(0)
        later = [execute(defs, instance, job, console, partition=last) for job in _later_jobs(domain)] if ingest.success else []
        execute(defs, instance, MONITORING_JOB, console)
        succeeded = _print_summary(domain, partitions, ingest, later)
    raise typer.Exit(0 if succeeded else 1)


def is_running(domain: Domain, partition: str) -> bool:
    """Whether the partition is an hour that has not ended, which is where a feed without a history begins."""
    return isinstance(domain, ForecastDomain) and partition == hour_key(datetime.now(UTC))


def _later_jobs(domain: Domain) -> list[str]:
    return [f"{domain.name}_{stage}" for stage in (["training", "forecast"] if isinstance(domain, ForecastDomain) else ["training"])]


def _print_summary(
    domain: Domain, partitions: list[str], ingest: "dg.ExecuteInProcessResult", later: "list[dg.ExecuteInProcessResult]"
) -> bool:
    from mlops_assets.cli.forecast_summary import print_forecast_summary
    from mlops_assets.cli.summary import print_summary

    if isinstance(domain, ForecastDomain):
        return print_forecast_summary(console, domain, partitions, ingest, *later)
    return print_summary(console, domain, partitions, ingest, *later)
