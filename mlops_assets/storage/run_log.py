"""What one Dagster run has read and written in the lake so far, kept in the process that executes it.

Two uses: outputs inherit the lineage of what their step read, and a run notices when another run replaces its intermediate data.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from mlops_assets.storage.stamp import Lineage, merge_lineage

if TYPE_CHECKING:
    from dagster import AssetCheckExecutionContext, AssetExecutionContext
    from dagster._core.execution.context.system import StepExecutionContext


class ReplacedMidRunError(RuntimeError):
    """Another run replaced an object that this run had written and was about to read."""


class RunLog:
    """Reads by attempt at a step, writes by object key."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._reads: dict[str, list[Lineage]] = {}
        self._writes: dict[str, str] = {}

    @staticmethod
    @lru_cache(maxsize=32)
    def of(run_id: str) -> "RunLog":
        """The log of `run_id` in this process."""
        return RunLog(run_id)

    def read(self, attempt: str, lineage: Lineage) -> None:
        """A step has loaded an object with this lineage."""
        self._reads.setdefault(attempt, []).append(lineage)

    def lineage(self, attempt: str) -> Lineage:
        """Everything that the step has loaded so far, and what that was made from."""
        return merge_lineage(self._reads.get(attempt, []))

    @contextmanager
    def partition_of(self, attempt: str) -> Iterator[None]:
        """Reads made inside belong to one output partition and are forgotten at the end of the block."""
        reads = self._reads.setdefault(attempt, [])
        mark = len(reads)
        try:
            yield
        finally:
            del reads[mark:]

    def wrote(self, key: str, data_version: str) -> None:
        """Notes that the run has stored an object, or has found it current."""
        self._writes[key] = data_version

    def require_own(self, key: str, data_version: str) -> None:
        """Raises ReplacedMidRunError if this run stored the object with another content than is there now."""
        own = self._writes.get(key, data_version)
        if own != data_version:
            raise ReplacedMidRunError(
                f"{key} was replaced by another run while run {self._run_id} was going (written {own}, found {data_version}). "
                "The other run's result stands; start this run again if its settings are the ones you want."
            )


def attempt_at(step: "StepExecutionContext") -> str:
    """One try of one step: what a failed try had loaded is no lineage of the next one's outputs."""
    return f"{step.step.key}#{step.previous_attempt_count}"


def observed_lineage(context: "AssetExecutionContext | AssetCheckExecutionContext") -> Lineage:
    """Everything that the asset's step has loaded so far, back to the raw partitions."""
    return RunLog.of(context.op_execution_context.run_id).lineage(attempt_at(context.op_execution_context.get_step_execution_context()))
