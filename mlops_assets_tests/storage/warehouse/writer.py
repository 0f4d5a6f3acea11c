"""A process that writes: `writer.py URL FIRST COUNT`. Each transaction adds ROWS observations of its own, the SHARED ones that all
transactions bring, and one row of the ledger.

Says the number of each transaction once it is stored.
"""

import sys

import pyarrow as pa

from mlops_assets.domain import Column, Table
from mlops_assets.storage.warehouse import Transaction, Warehouse

ROWS, SHARED = 400, 50
OBSERVATIONS = Table("observations", "", (Column("id", "string", ""), Column("batch", "long", "")), "batch", "add", ("id",))
LEDGER = Table("ledger", "", (Column("batch", "long", ""), Column("row_count", "long", "")), "batch", "merge", ("batch",))


def main(url: str, first: int, count: int) -> None:
    """Writes `count` transactions, numbered from `first`."""
    warehouse = Warehouse(url)
    for number in range(first, first + count):

        def work(transaction: Transaction, batch: int = number) -> None:
            ids = [*(f"{batch}-{row}" for row in range(ROWS)), *(f"shared-{row}" for row in range(SHARED))]
            transaction.write(OBSERVATIONS, pa.table({"id": ids, "batch": [batch] * ROWS + [-1] * SHARED}))
            transaction.write(LEDGER, pa.table({"batch": [batch], "row_count": [ROWS]}))

        warehouse.transact([OBSERVATIONS, LEDGER], work)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
