"""Asset checks over stored partitions: one or many partitions a run, each judged by a plain function."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter

from mlops_assets.domain import Domain
from mlops_assets.factories.code_version import code_digest
from mlops_assets.factories.keys import asset_key
from mlops_assets.partitions import partitions_of
from mlops_assets.storage.partitioned import Partitioned
from mlops_assets.storage.resource import LakeResource

if TYPE_CHECKING:
    from pandas import DataFrame as Frame

    from mlops_assets.ml.validation import Validation
else:
    Frame = Validation = Any


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check finds in one partition: whether it holds, the rows it read, and counts by what they count."""

    holds: bool
    rows: int
    counts: dict[str, int] = field(default_factory=dict)
    text: str = ""


def accepted(frame: Frame, validate: Callable[[Frame], Validation]) -> Finding:
    """A validation as a finding."""
    from mlops_assets.ml.validation import ValidationError

    try:
        validation = validate(frame)
    except ValidationError as error:
        return Finding(False, len(frame), {f"{failure.column}: {failure.check}": failure.count for failure in error.failures}, str(error))
    return Finding(True, len(frame), {failure.check: failure.count for failure in validation.failures})


def partition_check(
    domain: Domain,
    stage: str,
    name: str,
    description: str,
    judge: Callable[[Frame, str], Finding],
    *,
    blocking: bool = True,
    code: Sequence[str] = (),
) -> dg.AssetChecksDefinition:
    """A check that `judge(frame, partition)` holds for every partition of the run; one that is not blocking warns.

    Each partition gets an evaluation of its own. A check's plain result would, in a run of several, belong to none of them. In a run of
    several, a partition whose content has been judged by the same `code` (modules) before is not read again: its verdict is repeated.
    """
    asset = asset_key(domain, stage)
    spec = dg.AssetCheckSpec(name, asset=asset, description=description, blocking=blocking, partitions_def=partitions_of(domain.cadence))

    @dg.multi_asset_check(name=f"{asset.to_python_identifier()}_{name}", specs=[spec], ins={"frames": dg.AssetIn(asset)})
    def check(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, frames: Any
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        by_partition = frames if isinstance(frames, Partitioned) else {context.op_execution_context.partition_key: frames}
        may_repeat = bool(code) and isinstance(frames, Partitioned)
        for partition in by_partition:
            stamp = lake.stamp(asset.to_user_string(), partition) if may_repeat else None
            judged = {"judged_content": stamp.data_version, "judged_by": code_digest(*code)} if stamp else {}
            earlier = _same_judgement(context.instance, spec.key, partition, judged) if judged else None
            if earlier is not None:
                yield earlier
                continue
            finding = judge(by_partition[partition], partition)
            yield dg.AssetCheckEvaluation(
                asset_key=asset,
                check_name=name,
                passed=finding.holds,
                severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
                blocking=blocking,
                partition=partition,
                description=None if finding.holds else f"{partition}: {finding.text or finding.counts}",
                metadata={"rows": finding.rows, **{what: count for what, count in finding.counts.items() if count}, **judged},
            )
        # Dagster waits for the check's own output, which an evaluation of one partition is not.
        yield dg.Output(None, output_name=next(iter(context.op_execution_context.op_def.output_dict)))

    return check


def _same_judgement(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, partition: str, judged: dict[str, str]
) -> dg.AssetCheckEvaluation | None:
    """The partition's latest evaluation, if it is of this content by this code."""
    of_partition = PartitionKeyFilter(key=partition)
    records = instance.event_log_storage.get_asset_check_execution_history(check, limit=2, partition_filter=of_partition)
    for record in records:
        event = record.event.dagster_event if record.event else None
        if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            continue  # the record that this run has planned
        evaluation: dg.AssetCheckEvaluation = event.asset_check_evaluation_data
        found = {name: evaluation.metadata[name].value for name in judged if name in evaluation.metadata}
        return evaluation if found == judged else None
    return None
