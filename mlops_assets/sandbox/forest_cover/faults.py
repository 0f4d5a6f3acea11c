"""Misbehaviour on demand: what goes wrong between a client and the batch API.

Here belongs which fault strikes which call, and what it does to the rows; the sandboxes' `faults` has those of the transport.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mlops_assets.sandbox.faults import TRANSPORT_KINDS, TransportFault
from mlops_assets.sandbox.forest_cover.samples import COLUMNS, row_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(TransportFault):
    """One way to misbehave: those of the transport, and those of the data.

    `short_row` lacks its last value; `long_row` has a fourteenth; `wrong_value` has `value` in `column`: text that is no number, a code
    that does not exist. These three strike the first `share` of an answer's rows, at least one. `empty`, no rows; `wrong_batch`, the
    answer names batch `named_batch` whatever its rows are.
    """

    KINDS: ClassVar[tuple[str, ...]] = (*TRANSPORT_KINDS, "short_row", "long_row", "wrong_value", "empty", "wrong_batch")

    group_number: int | None = None
    batch_number: int | None = None
    """Strike calls for this batch only; None: any, and those that come when all are collected."""
    share: float = 0.1
    column: str = "Elevation"
    value: str = "unknown"
    named_batch: int = 10

    def __post_init__(self) -> None:
        TransportFault.__post_init__(self)
        if self.column not in COLUMNS:
            raise ValueError(f"no column is called {self.column!r}; there are: {', '.join(COLUMNS)}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}; it must lie between 0 and 1")

    def matches(self, group_number: int, batch_number: int | None) -> bool:
        """Whether a call is struck; no batch number: all are collected."""
        return self.group_number in (None, group_number) and self.batch_number in (None, batch_number)

    def spoil(self, rows: Sequence[str]) -> Sequence[str]:
        """The rows as this fault leaves them."""
        if self.kind == "empty":
            return ()
        if self.kind not in ("short_row", "long_row", "wrong_value"):
            return rows
        bad = max(1, round(self.share * len(rows)))
        return [*(row_json(self._spoil_row(json.loads(row))) for row in rows[:bad]), *rows[bad:]]

    def _spoil_row(self, values: list[str]) -> list[str]:
        if self.kind == "short_row":
            return values[:-1]
        if self.kind == "long_row":
            return [*values, "0"]
        return [self.value if column == self.column else value for column, value in zip(COLUMNS, values, strict=True)]
