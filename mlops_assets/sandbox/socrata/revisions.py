"""Late changes to published months: arrests that become known afterwards, and crimes that are reported late.

Here belongs how a month looks after it was revised, whoever published it first (`chicago` or `replay`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.sandbox.socrata.tables import Partition, published, replace_column

FIRST_LATE_ID = 90_000_000
"""Far above the portal's own ids, so that late rows never meet them."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One change to one month. `updated_on` is local time; `first_id` numbers the rows added."""

    month: str
    rows: int
    add_rows: int
    updated_on: str
    first_id: int
    seed: int

    def apply(self, table: pa.Table) -> pa.Table:
        """The month's rows after the change, still ordered by `:id`."""
        rng = np.random.default_rng([self.seed, self.first_id, self.rows, self.add_rows])
        changed = rng.permutation(np.flatnonzero(~np.asarray(table["arrest"])))[: self.rows]
        flipped = np.zeros(table.num_rows, bool)
        flipped[changed] = True
        revised = replace_column(table, "arrest", pc.or_(table["arrest"], pa.array(flipped)))
        revised = self._stamp(revised, flipped)
        if not self.add_rows:
            return revised
        return pa.concat_tables([revised, self._late_rows(table, rng)])

    def _late_rows(self, table: pa.Table, rng: np.random.Generator) -> pa.Table:
        """Crimes like others of the month, under ids of their own, after the month's last `:id`."""
        late = table.take(np.sort(rng.integers(0, table.num_rows, self.add_rows)))
        ids = range(self.first_id, self.first_id + self.add_rows)
        last = table[":id"][-1].as_py()
        late = replace_column(late, "id", pa.array([str(number) for number in ids], pa.string()))
        late = replace_column(late, "case_number", pa.array([f"ZZ{number % 1_000_000:06d}" for number in ids]))
        late = replace_column(late, ":id", pa.array([f"{last}.{number}" for number in ids]))
        late = replace_column(late, ":created_at", pa.repeat(self.updated_at, self.add_rows))
        return self._stamp(late, np.ones(self.add_rows, bool))

    @property
    def updated_at(self) -> str:
        """The `:updated_at` of every row that the change touches."""
        stamp: str = published(pa.array([self.updated_on]))[0].as_py()
        return stamp

    def _stamp(self, table: pa.Table, where: np.ndarray) -> pa.Table:
        mask = pa.array(where)
        table = replace_column(table, "updated_on", pc.if_else(mask, self.updated_on, table["updated_on"]))
        return replace_column(table, ":updated_at", pc.if_else(mask, self.updated_at, table[":updated_at"]))


class RevisionLog:
    """Every revision made so far. Safe to use from several threads."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._revisions: dict[str, list[Revision]] = {}
        self._next_id = FIRST_LATE_ID
        self._lock = Lock()

    def revise(self, partition: Partition, rows: int, add_rows: int) -> str:
        """Revises a month, given as it stands, and returns its new greatest `:updated_at`, a day after the old one.

        `rows` labels become arrests, `add_rows` crimes join. ValueError when the month has fewer rows without an arrest.
        """
        if partition.month is None or rows < 0 or add_rows < 0 or rows + add_rows == 0:
            raise ValueError("a revision changes or adds at least one row of one month")
        open_cases = pc.sum(pc.invert(partition.load()["arrest"])).as_py()
        if rows > open_cases:
            raise ValueError(f"{partition.month} has {open_cases} rows without an arrest, fewer than {rows}")
        newest = datetime.fromisoformat(partition.newest).replace(tzinfo=None)
        with self._lock:
            revision = Revision(
                month=partition.month,
                rows=rows,
                add_rows=add_rows,
                updated_on=(newest + timedelta(days=1)).isoformat(timespec="milliseconds"),
                first_id=self._next_id,
                seed=self._seed,
            )
            self._next_id += add_rows
            self._revisions.setdefault(partition.month, []).append(revision)
        return revision.updated_at

    def apply(self, partitions: Iterable[Partition]) -> Iterator[Partition]:
        """The partitions as they stand after every revision."""
        for partition in partitions:
            revised = partition
            for revision in tuple(self._revisions.get(partition.month or "", ())):
                revised = _revised(revised, revision)
            yield revised


def _revised(partition: Partition, revision: Revision) -> Partition:
    return replace(
        partition,
        rows=partition.rows + revision.add_rows,
        newest=revision.updated_at,
        load=lambda: revision.apply(partition.load()),
    )
