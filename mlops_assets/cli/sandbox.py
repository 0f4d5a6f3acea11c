"""`mlops-assets sandbox`: the upstreams' local stand-ins as a process of their own, by hand or beside another command."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from mlops_assets.sandbox.running import Sandbox

SETTINGS = ("SOCRATA_URL", "FOREST_API_URL", "DONOSTIA_API_URL", "FOREST_BATCH_SECONDS")
"""What the command prints, one `NAME=value` a line and in this order."""


def sandbox(
    port: Annotated[
        int,
        typer.Option(help="Port of the Socrata portal on 127.0.0.1, the forest API and the car park feed take the next two; 0: free ones"),
    ] = 8700,
    replay: Annotated[
        Path | None, typer.Option(help="Folder of real exports: served by each upstream that finds its own there, the others generate")
    ] = None,
    batch_seconds: Annotated[float, typer.Option(min=0, help="How long the forest API stays with a batch; 0: one call")] = 300.0,
    whole_batches: Annotated[bool, typer.Option("--whole-batches", help="The forest API gives whole batches, not a tenth a call")] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True, help="End when standard input closes")] = False,
) -> None:
    """Serve stand-ins of every upstream until Ctrl-C; prints the settings that lead to them."""
    from mlops_assets.sandbox.running import serve

    def announce(urls: dict[str, str]) -> None:
        settings = {**urls, "FOREST_BATCH_SECONDS": f"{batch_seconds:g}"}
        typer.echo("\n".join(f"{name}={settings[name]}" for name in SETTINGS))
        if with_parent:
            _end_with_standard_input()
        else:
            typer.echo("Put these lines into .env for dg and dagster, and take them out afterwards.", err=True)

    serve(_sandboxes(port, replay, batch_seconds, whole_batches=whole_batches), announce)


@contextmanager
def running_sandbox(replay: Path | None, *, batch_seconds: float = 0.0, whole_batches: bool = False) -> Iterator[dict[str, str]]:
    """The sandboxes in a process of their own for the length of the block; yields the settings that lead to them.

    The forest API stays `batch_seconds` with a batch, 0: every call gets the next one; it gives tenths of them or `whole_batches`. The
    process ends with this one, however that ends.
    """
    command = [sys.executable, "-m", "mlops_assets.cli", "sandbox", "--port", "0", "--with-parent", "--batch-seconds", str(batch_seconds)]
    if replay:
        command += ["--replay", str(replay.resolve())]
    if whole_batches:
        command.append("--whole-batches")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        lines = [stdout.readline().strip() for _ in SETTINGS]
        if not all(lines):
            process.wait()
            raise ValueError("the sandbox did not start; its message stands above")
        try:
            yield {name: value for name, _, value in (line.partition("=") for line in lines)}
        finally:
            stdin.close()
            _stop(process)


def _sandboxes(port: int, replay: Path | None, batch_seconds: float, *, whole_batches: bool) -> dict[str, "Sandbox"]:
    """By the settings that are to hold their URLs. FileNotFoundError if there is nothing to replay for any of them."""
    from mlops_assets.sandbox.donostia import DonostiaSandbox
    from mlops_assets.sandbox.donostia import replay as parkings
    from mlops_assets.sandbox.forest_cover import ForestCoverSandbox
    from mlops_assets.sandbox.forest_cover import replay as samples
    from mlops_assets.sandbox.socrata import SocrataSandbox
    from mlops_assets.sandbox.socrata import replay as crimes

    crime_replay = replay if replay and crimes.export_files(replay) else None
    sample_replay = replay if replay and samples.sample_files(replay) else None
    parking_replay = replay if replay and parkings.snapshot_files(replay) else None
    if replay and not (crime_replay or sample_replay or parking_replay):
        expected = f"{crimes.EXPECTED}; or {samples.EXPECTED}; or {parkings.EXPECTED}"
        raise FileNotFoundError(f"{replay} holds nothing to replay: expected {expected}")
    return {
        "SOCRATA_URL": SocrataSandbox(port=port, replay=crime_replay),
        "FOREST_API_URL": ForestCoverSandbox(
            port=port and port + 1, replay=sample_replay, batch_seconds=batch_seconds, whole_batches=whole_batches
        ),
        "DONOSTIA_API_URL": DonostiaSandbox(port=port and port + 2, replay=parking_replay),
    }


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()


def _end_with_standard_input() -> None:
    """A parent that is killed cannot stop its child, but its end of the pipe closes."""
    import os
    import signal
    import threading

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
