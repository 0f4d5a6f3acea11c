"""The prediction API: every registered champion of every system over HTTP. Knows no orchestration and trains nothing."""

from mlops_assets.serving.app import create_app

__all__ = ["create_app"]
