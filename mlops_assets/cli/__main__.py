"""`python -m mlops_assets.cli`."""

from mlops_assets.cli.app import main

main()
