"""The decision whether a challenger becomes champion. Pure: two sets of metrics on the same data in, decision and reasons out."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan

from mlops_assets.domain import Gates


@dataclass(frozen=True, slots=True)
class Decision:
    """`promote`, and why or why not, in words for people."""

    promote: bool
    reason: str


Metrics = Mapping[str, float | None]
"""None and NaN: not measured, as when there is too little history."""


def decide(challenger: Metrics, champion: Metrics | None, gates: Gates, *, compared_on: str = "rows") -> Decision:
    """Promote if every absolute gate is reached and, where there is a champion, the gate metric is strictly better than its.

    A challenger whose gate metric is not measured may become the first champion only; gates on what is not measured are then left out.
    One that is measured beats a champion that cannot be. `compared_on` is what people call the data of the comparison.

    ValueError if the gates ask for a metric that there is not.
    """
    if unknown := {gates.metric, *gates.minimum, *gates.maximum}.difference(challenger):
        raise ValueError(f"gates ask for metrics that there are not: {', '.join(sorted(unknown))}; there are: {', '.join(challenger)}")
    found = {metric: _number(value) for metric, value in challenger.items()}
    own, best = found[gates.metric], _number(champion.get(gates.metric)) if champion is not None else nan
    is_measured = not isnan(own)
    if not is_measured and champion is not None:
        return Decision(False, f"{gates.metric} cannot be measured yet, and only the first champion may go without")
    if missed := _missed(found, gates, may_be_unmeasured=not is_measured):
        return Decision(False, "; ".join(missed))
    if champion is None:
        measured = f"every gate is reached, {gates.metric} {own:.4f}" if is_measured else f"{gates.metric} cannot be measured yet"
        return Decision(True, f"the first champion: {measured}")
    if isnan(best):
        return Decision(True, f"{gates.metric} {own:.4f}; the champion's cannot be measured on the same {compared_on}")
    is_better = own > best if gates.better == "more" else own < best
    return Decision(is_better, f"{gates.metric} {own:.4f} against the champion's {best:.4f} on the same {compared_on}")


def _missed(found: Mapping[str, float], gates: Gates, *, may_be_unmeasured: bool) -> list[str]:
    """Each gate that is not reached, in words."""
    limits = [(metric, limit, "below", found[metric] >= limit) for metric, limit in gates.minimum.items()]
    limits += [(metric, limit, "above", found[metric] <= limit) for metric, limit in gates.maximum.items()]
    missed = []
    for metric, limit, side, is_reached in limits:
        if isnan(found[metric]):
            missed += [] if may_be_unmeasured else [f"{metric} cannot be measured, and has to reach {limit:g}"]
        elif not is_reached:
            missed.append(f"{metric} {found[metric]:.4f} is {side} {limit:g}")
    return missed


def _number(value: float | None) -> float:
    return nan if value is None else float(value)
