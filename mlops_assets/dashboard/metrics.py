"""Which metrics of a model come first, and which way they are better. Pure."""

from collections.abc import Iterable

from mlops_assets.domain import Domain

LEADING = ("macro_f1", "average_precision", "accuracy", "roc_auc", "f1", "mcc", "log_loss", "mase", "mae")
LOWER_IS_BETTER = ("brier", "log_loss", "mae", "mase")
NEUTRAL = ("cutoffs", "points", "prevalence", "rows", "threshold", "train_points")


def leading(names: Iterable[str], domain: Domain | None) -> list[str]:
    """The names with the one that decides about promotion first, then the usual ones, then the others by name."""
    first = (*((domain.gates.metric,) if domain else ()), *LEADING)
    return sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name))


def verdict(name: str, champion: float | None, challenger: float | None) -> str:
    """Whether the challenger's value is `better`, `worse` or `equal`; empty where that cannot be said."""
    if champion is None or challenger is None or name in NEUTRAL:
        return ""
    if champion == challenger:
        return "equal"
    return "better" if (challenger < champion) == (name in LOWER_IS_BETTER) else "worse"
