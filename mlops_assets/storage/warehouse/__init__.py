"""The warehouse: declared tables in DuckDB, PostgreSQL or BigQuery, as one setting says. Free of Dagster: serving reads it too."""

from mlops_assets.storage.warehouse.errors import WarehouseError
from mlops_assets.storage.warehouse.schema import arrow_schema
from mlops_assets.storage.warehouse.transaction import Reader, Transaction, Written
from mlops_assets.storage.warehouse.warehouse import Warehouse

__all__ = ["Reader", "Transaction", "Warehouse", "WarehouseError", "Written", "arrow_schema"]
