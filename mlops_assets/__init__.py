"""mlops_assets: machine-learning systems as Dagster software-defined assets."""

__version__ = "0.1.0"
