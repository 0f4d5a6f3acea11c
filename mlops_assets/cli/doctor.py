"""`mlops-assets doctor`: every problem of every part at once, or a table of what answers where."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from mlops_assets.doctor import EVERY_PART, OWN_PARTS, Finding, Problem, examine, problems_of, text_of
from mlops_assets.doctor.settings import read_settings

console = Console()


def doctor(
    upstreams: Annotated[bool, typer.Option("--upstreams", help="Ask the upstreams as well whether they answer")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output instead of text")] = False,
) -> None:
    """Examine settings, disk, lake, warehouse, MLflow, Dagster's storage and API keys. Ends with 1 if anything is wrong.

    It names every problem with its remedy, and shows no password. Stores are tried with a small object that it removes again.
    """
    settings, refused = read_settings()
    findings = examine(settings, EVERY_PART if upstreams else OWN_PARTS)
    problems = [*refused, *problems_of(findings)]
    if as_json:
        typer.echo(json.dumps(_report(findings, problems), indent=2))
    elif problems:
        typer.echo(text_of(problems))
    else:
        console.print(_table(findings))
    raise typer.Exit(1 if problems else 0)


def _report(findings: Sequence[Finding], problems: Sequence[Problem]) -> dict[str, object]:
    parts = [{"part": found.part, "address": found.address, "version": found.version} for found in findings]
    return {"sound": not problems, "problems": [asdict(problem) for problem in problems], "parts": parts}


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(title="Everything is as it should be", title_justify="left")
    for column in ("part", "address", "version"):
        table.add_column(column, overflow="fold")
    for found in findings:
        table.add_row(found.part, found.address, found.version)
    return table
