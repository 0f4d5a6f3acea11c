"""`mlops-assets serve`: the prediction API as one process, until it is told to stop."""

from typing import Annotated

import typer

from mlops_assets.cli.listening import is_loopback, require_free, url_of
from mlops_assets.doctor import Part, require_sound
from mlops_assets.settings import Settings

GRACE_SECONDS = 10
"""How long answers under way may take when the server is told to stop."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; another than this machine's own needs MLOPS_API_KEYS")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port")] = 8000,
    access_log: Annotated[bool, typer.Option("--access-log", help="One JSON line on standard error for each request")] = False,
) -> None:
    """Serve the registered champions over HTTP until Ctrl-C. A newly promoted champion is taken over within seconds."""
    settings = Settings()
    if not settings.api_keys and not is_loopback(host):
        raise ValueError(
            f"without API keys everybody who reaches {host} could use the models: "
            "set MLOPS_API_KEYS (comma-separated), or listen on 127.0.0.1"
        )
    require_sound(settings, [Part.SETTINGS, Part.API_KEYS, Part.MLFLOW], lasting_only=True)
    require_free(port, "mlops-assets serve --port 8001, or stop what runs there", host=host)
    import uvicorn

    from mlops_assets.serving import create_app
    from mlops_assets.serving.logs import log_config

    address = url_of(host, port)
    typer.echo(f"Prediction API: {address}  Documentation: {address}/docs  Health: {address}/health  Metrics: {address}/metrics")
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        access_log=access_log,
        log_config=log_config(),
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws="none",
    )
