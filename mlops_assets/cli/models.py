"""`mlops-assets models`: which versions there are, where one comes from, which ones used a partition, and which one is the champion."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_assets.domain import Gates
from mlops_assets.domains import DOMAINS
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from mlops_assets.ml.registry import Trace

ABOUT = "Registered models: which versions there are, where one comes from, which ones used a partition, and which one is the champion."

app = typer.Typer(no_args_is_help=True, help=ABOUT)
RAW = "raw_"
"""How the stages begin that come straight from an upstream."""

Reference = Annotated[str, typer.Argument(help="name@alias, name/version, or a name for its champion; a system's name will do")]


@app.command("list")
def list_versions() -> None:
    """Every registered version: its aliases, partition and gate metric."""
    from mlops_assets.ml import champions, registry

    client = _client()
    versions = [(domain, item) for domain in DOMAINS.values() for item in registry.versions(client, domain.model_name)]
    for domain, item in versions:
        found = registry.trace(client, f"{item.name}/{item.version}")
        since = item.tags.get(champions.WITHDRAWN)
        typer.echo(f"{_line(found)}  {_gate_metric(domain.gates, found)}{f'  withdrawn {since}' if since else ''}")
    if not versions:
        typer.echo("no model is registered yet; `mlops-assets run` makes one", err=True)


@app.command()
def trace(
    reference: Reference,
    everything: Annotated[bool, typer.Option("--all", help="Every upstream asset, not only the raw ones, partition by partition")] = False,
) -> None:
    """From a version back to its run, its code and the exact raw partitions with their data versions.

    An asset with very many partitions has one line: the first and the last one, how many, and the digest of all of them.
    """
    from mlops_assets.ml import champions, registry

    client = _client()
    found = registry.trace(client, _registered(reference))
    source = found.provenance
    typer.echo(_title(found))
    facts = {
        "partition": source.partition,
        "Dagster run": source.dagster_run_id,
        "MLflow run": found.run_id,
        "code version": source.code_version,
        "git commit": source.git_commit,
        "libraries": ", ".join(f"{library} {version}" for library, version in source.library_versions.items()),
        "metrics": ", ".join(f"{metric} {value:.4f}" for metric, value in source.metrics.items()),
    }
    if since := champions.withdrawn(client, found.name, found.version):
        facts["withdrawn"] = since
    for name, fact in facts.items():
        typer.echo(f"  {name}: {fact}")
    typer.echo("upstream partitions (asset, partition, data version):")
    for asset, partitions in (registry.lineage(client, found) if everything else source.upstream).items():
        if everything or _is_raw(asset):
            for partition, version in sorted(partitions.items()):
                typer.echo(f"  {asset}  {partition}  {version}")
    for asset, many in source.ranges.items():
        if not everything and _is_raw(asset):
            typer.echo(f"  {asset}  {many.first}..{many.last}  {many.count} partitions, digest {many.digest}")


@app.command()
def using(
    asset: Annotated[str, typer.Argument(help="An asset as domain/stage, such as chicago_crime/raw_crimes")],
    partition: Annotated[str, typer.Argument(help="A partition key, such as 2017-03")],
) -> None:
    """Every registered version that was made from a partition of an asset."""
    from mlops_assets.ml import registry

    if asset.partition("/")[0] not in DOMAINS or not asset.partition("/")[2]:
        raise ValueError(f"{asset!r} is not domain/stage, as in chicago_crime/raw_crimes; the domains are: {', '.join(DOMAINS)}")
    client = _client()
    found = registry.uses_of(client, asset, partition)
    if not found:
        typer.echo(f"no registered version used {asset} {partition}", err=True)
        raise typer.Exit(1)
    for version, data_version in found:
        trace = registry.trace(client, f"{version.name}/{version.version}")
        typer.echo(f"{_line(trace)}  from {data_version or 'a range that cannot be read any more'}")


@app.command()
def promote(reference: Reference) -> None:
    """Make a version the champion by hand, whatever the gate said. The prediction API serves it within seconds."""
    from mlops_assets.ml import champions

    client, asked = _client(), _registered(reference)
    if asked.partition("@")[0] == asked.partition("/")[0]:
        raise ValueError(f"which version of {reference}? name/version or name@challenger; mlops-assets models list shows them")
    found = champions.promote_by_hand(client, asked)
    typer.echo(f"{found.name}@champion is version {found.version}")


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="A system, or its registered model")],
    because: Annotated[str, typer.Option(help="Why; it is kept with the version that is taken back")],
) -> None:
    """Give @champion back to the version that had it before. The present one is withdrawn: no run promotes it again."""
    from mlops_assets.ml import champions

    present, before = champions.roll_back(_client(), _registered(name), because, datetime.now(UTC))
    typer.echo(f"{before.name}@champion is version {before.version} again; version {present.version} is withdrawn")


def _registered(reference: str) -> str:
    """The reference with a system's name replaced by that of its registered model."""
    name = reference.partition("@")[0].partition("/")[0]
    return DOMAINS[name].model_name + reference.removeprefix(name) if name in DOMAINS else reference


def _is_raw(asset: str) -> bool:
    return asset.split("/")[1].startswith(RAW)


def _gate_metric(gates: Gates, trace: "Trace") -> str:
    value = trace.provenance.metrics.get(gates.metric)
    return f"{gates.metric} not measured" if value is None else f"{gates.metric} {value:.4f}"


def _title(trace: "Trace") -> str:
    return " ".join([f"{trace.name} version {trace.version}", *(f"@{alias}" for alias in trace.aliases)])


def _line(trace: "Trace") -> str:
    return f"{_title(trace)}  trained for {trace.provenance.partition}"


def _client() -> "MlflowClient":
    from mlops_assets.ml import registry

    return registry.connect(Settings().tracking_uri)
