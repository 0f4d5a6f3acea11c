"""The command line `mlops-assets`: thin commands over the platform. Each file here is one group of commands."""

from mlops_assets.cli.app import main

__all__ = ["main"]
