"""The decision whether a challenger becomes champion. Pure: two sets of metrics on the same rows in, decision and reasons out."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlops_assets.domain import Gates


@dataclass(frozen=True, slots=True)
class Decision:
    """`promote`, and why or why not, in words for people."""

    promote: bool
    reason: str


def decide(challenger: Mapping[str, float], champion: Mapping[str, float] | None, gates: Gates) -> Decision:
    """Promote if every absolute gate is reached and, where there is a champion, the gate metric is strictly better than its.

    ValueError if the gates ask for a metric that the task does not have.
    """
    if unknown := {gates.metric, *gates.minimum}.difference(challenger):
        raise ValueError(f"gates ask for metrics that there are not: {', '.join(sorted(unknown))}; there are: {', '.join(challenger)}")
    # NaN reaches no gate, so the comparison is not turned round.
    missed = {metric: minimum for metric, minimum in gates.minimum.items() if not challenger[metric] >= minimum}
    if missed:
        return Decision(False, "; ".join(f"{metric} {challenger[metric]:.4f} is below {minimum:g}" for metric, minimum in missed.items()))
    own = challenger[gates.metric]
    if champion is None:
        return Decision(True, f"the first champion: every gate is reached, {gates.metric} {own:.4f}")
    comparison = f"{gates.metric} {own:.4f} against the champion's {champion[gates.metric]:.4f} on the same rows"
    return Decision(own > champion[gates.metric], comparison)
