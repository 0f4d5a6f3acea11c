"""`mlops-assets sandbox`: the upstreams' local stand-ins as a process of their own, by hand or beside another command."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, cast

import typer


def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one")] = 8700,
    replay: Annotated[Path | None, typer.Option(help="Folder of real exports to serve instead of generated data")] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True, help="End when standard input closes")] = False,
) -> None:
    """Serve the sandbox's Socrata portal until Ctrl-C; prints its address, which goes into SOCRATA_URL."""
    from mlops_assets.sandbox.socrata import serve

    def announce(url: str) -> None:
        typer.echo(url)
        if with_parent:
            _end_with_standard_input()
        else:
            typer.echo(f"Put this line into .env for dg and dagster, and take it out afterwards: SOCRATA_URL={url}", err=True)

    serve(host="127.0.0.1", port=port, replay=replay, ready=announce)


@contextmanager
def running_sandbox(replay: Path | None) -> Iterator[dict[str, str]]:
    """A sandbox in a process of its own for the length of the block; yields the settings that lead to it.

    It ends with this process, however that ends.
    """
    command = [sys.executable, "-m", "mlops_assets.cli", "sandbox", "--port", "0", "--with-parent"]
    if replay:
        command += ["--replay", str(replay.resolve())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        url = stdout.readline().strip()
        if not url:
            process.wait()
            raise ValueError("the sandbox did not start; its message stands above")
        try:
            yield {"SOCRATA_URL": url}
        finally:
            stdin.close()
            _stop(process)


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
