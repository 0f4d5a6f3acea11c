"""`mlops-assets dashboard`: the analyst's page in a browser."""

import importlib.util
import os
import sys
from typing import Annotated

import typer

from mlops_assets.cli.listening import is_loopback, require_free, url_of
from mlops_assets.dashboard import theme
from mlops_assets.settings import Settings


def dashboard(
    port: Annotated[int, typer.Option(help="Port of the dashboard")] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on; another than this machine's own needs --behind-proxy")] = "127.0.0.1",
    behind_proxy: Annotated[bool, typer.Option("--behind-proxy", help="A proxy with a login stands before it")] = False,
) -> None:
    """The dashboard on 127.0.0.1:8501; it shows what the prediction API at MLOPS_API_URL serves. Ends with Ctrl-C.

    It has no login and predicts with the API key that it is started with.
    """
    if not behind_proxy and not is_loopback(host):
        raise ValueError(
            f"the dashboard has no login: everybody who reaches {host} would use the prediction API with its key. "
            "Put a proxy with a login before it and add --behind-proxy, or listen on 127.0.0.1"
        )
    if importlib.util.find_spec("streamlit") is None:
        raise ValueError("the dashboard needs Streamlit: pip install 'mlops-assets[dashboard]'")
    require_free(port, "mlops-assets dashboard --port 8502, or stop what runs there")
    typer.echo(f"Dashboard, in a moment: {url_of(host, port)} (prediction API: {Settings().mlops_api_url})", err=False)
    sys.stdout.flush()
    # Streamlit takes this process over: Ctrl-C and its end are its own.
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", *theme.command_line(host, port)])  # noqa: S606 - no shell is wanted
