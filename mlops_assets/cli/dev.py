"""Local tools: the Dagster UI with its daemon, the MLflow UI, and the `.env` that all commands share."""

import os
import signal
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mlops_assets.cli.listening import require_free
from mlops_assets.cli.sandbox import running_sandbox
from mlops_assets.doctor import RUN_PARTS, require_sound
from mlops_assets.settings import PROJECT_DIR, Settings

ENV_FILE = PROJECT_DIR / ".env"


class Upstream(StrEnum):
    """Where raw data come from."""

    SANDBOX = "sandbox"
    LIVE = "live"


UpstreamOption = Annotated[Upstream, typer.Option(help="sandbox: local stand-ins of every upstream; live: the real ones")]


def init() -> None:
    """Write the shared settings of this checkout into `.env`: where Dagster and local state live. Lines of your own stay."""
    lines = ENV_FILE.read_text().splitlines() if ENV_FILE.exists() else _example()
    home = PROJECT_DIR / ".mlops"
    shared = {
        "DAGSTER_HOME": f'"${{DAGSTER_HOME:-{PROJECT_DIR}}}"',
        "MLOPS_HOME": f'"${{MLOPS_HOME:-{home}}}"',
        "MLOPS_DAGSTER_DIR": f'"${{MLOPS_HOME:-{home}}}/dagster"',
    }
    others = [line for line in lines if not line.startswith(tuple(f'{name}="${{' for name in shared))]
    own = {line.partition("=")[0].strip() for line in others}
    written = [f"{name}={value}" for name, value in shared.items() if name not in own]
    # A value refers to lines above it only, so a home of your own has to stand above what is written here.
    ENV_FILE.touch(mode=0o600)
    ENV_FILE.chmod(0o600)  # it is where passwords and keys go
    ENV_FILE.write_text("\n".join([*others, *written] if own & set(shared) else [*written, *others]).rstrip() + "\n")
    Settings().home.mkdir(parents=True, exist_ok=True)


def dev(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI on 127.0.0.1")] = 3000,
    upstream: UpstreamOption = Upstream.SANDBOX,
    replay: Annotated[Path | None, typer.Option(help="Folder of real exports that the sandbox serves")] = None,
) -> None:
    """The Dagster UI with its daemon, and the sandbox beside it unless the upstream is live. Ends with Ctrl-C."""
    require_sound(Settings(), RUN_PARTS, lasting_only=True)
    require_free(port, "make dev PORT=3001, or stop what runs there")
    from mlops_assets.cli.dead_runs import end_dead_runs
    from mlops_assets.cli.instance import open_instance
    from mlops_assets.definitions import defs
    from mlops_assets.factories.pools import announce_pools

    with open_instance() as instance:
        end_dead_runs(instance)
        announce_pools(instance, defs)
    # In the project folder dg would put .env over what this command sets.
    command = [_tool("dg"), "dev", "--workspace", str(PROJECT_DIR / "workspace.yaml"), "--host", "127.0.0.1", "--port", str(port)]
    if upstream is Upstream.LIVE:
        raise typer.Exit(_foreground(command, {}))
    with running_sandbox(replay, batch_seconds=Settings().forest_batch_seconds) as environment:
        raise typer.Exit(_foreground(command, environment))


def mlflow(port: Annotated[int, typer.Option(help="Port of the MLflow UI on 127.0.0.1")] = 5000) -> None:
    """The MLflow UI on the local tracking database."""
    settings = Settings()
    if settings.mlflow_tracking_uri:
        typer.echo(f"MLflow runs at {settings.mlflow_tracking_uri}; open it there.")
        return
    require_free(port, "mlops-assets mlflow --port 5001, or stop what runs there")
    from mlops_assets.ml import registry

    registry.connect(settings.tracking_uri)
    typer.echo(f"MLflow UI, in a moment: http://127.0.0.1:{port}")
    command = [_tool("mlflow"), "ui", "--backend-store-uri", settings.tracking_uri, "--host", "127.0.0.1", "--port", str(port)]
    # The server's job runner starts seven workers of 80 MB each for features that nothing here uses.
    raise typer.Exit(_foreground(command, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}))


def _foreground(command: list[str], environment: dict[str, str]) -> int:
    """The command's exit code. Whoever tells this process to end tells the command, even while that is being started."""
    process: subprocess.Popen[bytes] | None = None
    is_told = False

    def end(*_: object) -> None:
        nonlocal is_told
        is_told = True
        if process is not None:
            process.terminate()

    signal.signal(signal.SIGTERM, end)
    process = subprocess.Popen(command, cwd=Settings().home, env={**os.environ, **environment})
    if is_told:
        process.terminate()
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the child has the same Ctrl-C and shuts down by itself


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _example() -> list[str]:
    return (PROJECT_DIR / ".env.example").read_text().splitlines()
