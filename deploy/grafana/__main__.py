"""`python -m deploy.grafana [--dataset NAME]`: writes the dashboards and alert rules anew."""

import argparse
import logging

from deploy.grafana.files import write
from deploy.grafana.panels import DATASET_NAME


def main() -> None:
    """Writes the files and says which."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana", description="Writes Grafana's dashboards and alert rules.")
    parser.add_argument("--dataset", default=DATASET_NAME, help="BigQuery's dataset of the tables (default: %(default)s)")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for path in write(parser.parse_args().dataset):
        logging.info("%s", path)


if __name__ == "__main__":
    main()
