"""Asset checks over stored partitions: one or many partitions a run, each judged by a plain function."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domain import Domain
from mlops_assets.factories.keys import asset_key
from mlops_assets.partitions import monthly_partitions
from mlops_assets.storage.partitioned import Partitioned

if TYPE_CHECKING:
    from pandas import DataFrame as Frame
else:
    Frame = Any


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check finds in one partition: whether it holds, the rows it read, and counts by what they count."""

    holds: bool
    rows: int
    counts: dict[str, int] = field(default_factory=dict)
    text: str = ""


def partition_check(
    domain: Domain, stage: str, name: str, description: str, judge: Callable[[Frame, str], Finding], *, blocking: bool = True
) -> dg.AssetChecksDefinition:
    """A check that `judge(frame, partition)` holds for every partition of the run; one that is not blocking warns.

    Each partition gets an evaluation of its own. A check's plain result would, in a run of several, belong to none of them.
    """
    asset = asset_key(domain, stage)
    spec = dg.AssetCheckSpec(
        name, asset=asset, description=description, blocking=blocking, partitions_def=monthly_partitions(domain.cadence)
    )

    @dg.multi_asset_check(name=f"{asset.to_python_identifier()}_{name}", specs=[spec], ins={"frames": dg.AssetIn(asset)})
    def check(context: dg.AssetCheckExecutionContext, frames: Any) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        by_partition = frames if isinstance(frames, Partitioned) else {context.op_execution_context.partition_key: frames}
        for partition in by_partition:
            finding = judge(by_partition[partition], partition)
            yield dg.AssetCheckEvaluation(
                asset_key=asset,
                check_name=name,
                passed=finding.holds,
                severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
                blocking=blocking,
                partition=partition,
                description=None if finding.holds else f"{partition}: {finding.text or finding.counts}",
                metadata={"rows": finding.rows, **{what: count for what, count in finding.counts.items() if count}},
            )
        # Dagster waits for the check's own output, which an evaluation of one partition is not.
        yield dg.Output(None, output_name=next(iter(context.op_execution_context.op_def.output_dict)))

    return check
