"""Asset checks over stored partitions: one or many partitions a run, each judged by a plain function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.domain import Domain
from mlops_assets.factories.keys import asset_key
from mlops_assets.partitions import monthly_partitions

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
    """A check that `judge(frame, partition)` holds for every partition of the run; one that is not blocking warns."""

    @dg.asset_check(
        asset=asset_key(domain, stage),
        name=name,
        description=description,
        blocking=blocking,
        partitions_def=monthly_partitions(domain.cadence),
    )
    def check(context: dg.AssetCheckExecutionContext, frames: Any) -> dg.AssetCheckResult:
        by_partition = frames if isinstance(frames, Mapping) else {context.op_execution_context.partition_key: frames}
        findings = {partition: judge(frame, partition) for partition, frame in by_partition.items()}
        failing = {partition: finding for partition, finding in findings.items() if not finding.holds}
        return dg.AssetCheckResult(
            passed=not failing,
            severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
            description="; ".join(f"{partition}: {finding.text or finding.counts}" for partition, finding in failing.items()) or None,
            metadata={"rows": sum(finding.rows for finding in findings.values()), "findings": _findings(findings)},
        )

    return check


def _findings(findings: Mapping[str, Finding]) -> dg.MarkdownMetadataValue:
    lines = ["| partition | rows | holds | counts |", "| --- | --- | --- | --- |"]
    for partition, finding in findings.items():
        counts = ", ".join(f"{what}: {count}" for what, count in finding.counts.items() if count) or "none"
        lines.append(f"| {partition} | {finding.rows} | {'yes' if finding.holds else '**no**'} | {counts} |")
    return dg.MetadataValue.md("\n".join(lines))
