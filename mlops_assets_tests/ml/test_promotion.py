"""The promotion rule."""

import math

import pytest

from mlops_assets.domain import Gates
from mlops_assets.ml.promotion import decide

GATES = Gates(metric="average_precision", minimum={"roc_auc": 0.8, "mcc": 0.4})
GOOD = {"average_precision": 0.7, "roc_auc": 0.9, "mcc": 0.5}


def test_decide_promotes_the_first_model_that_reaches_every_gate() -> None:
    decision = decide(GOOD, None, GATES)

    assert decision.promote
    assert decision.reason == "the first champion: every gate is reached, average_precision 0.7000"


@pytest.mark.parametrize(
    ("challenger", "promote"),
    [(0.7, False), (math.nextafter(0.7, 1), True), (0.8, True), (math.nextafter(0.7, 0), False), (0.6, False), (math.nan, False)],
)
def test_decide_promotes_only_what_is_strictly_better_than_the_champion(challenger: float, promote: bool) -> None:
    decision = decide(GOOD | {"average_precision": challenger}, GOOD, GATES)

    assert decision.promote is promote
    assert decision.reason == f"average_precision {challenger:.4f} against the champion's 0.7000 on the same rows"


@pytest.mark.parametrize("champion", [None, {"average_precision": 0.1}])
@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({"mcc": 0.39}, "mcc 0.3900 is below 0.4"),
        ({"mcc": 0.39, "roc_auc": 0.5}, "roc_auc 0.5000 is below 0.8; mcc 0.3900 is below 0.4"),
        ({"mcc": math.nan}, "mcc nan is below 0.4"),
    ],
)
def test_decide_refuses_what_misses_a_gate_however_good_it_is(
    metrics: dict[str, float], reason: str, champion: dict[str, float] | None
) -> None:
    decision = decide(GOOD | metrics, champion, GATES)

    assert not decision.promote
    assert decision.reason == reason


def test_decide_lets_a_gate_be_reached_exactly() -> None:
    assert decide(GOOD | {"mcc": 0.4, "roc_auc": 0.8}, None, GATES).promote


def test_decide_does_not_ask_the_champion_for_the_gates() -> None:
    assert decide(GOOD, {"average_precision": 0.6, "mcc": 0.0, "roc_auc": 0.0}, GATES).promote


@pytest.mark.parametrize("gates", [Gates(metric="macro_f1", minimum={"mcc": 0.4}), Gates(minimum={"macro_f1": 0.4, "mcc": 0.4})])
def test_decide_names_a_metric_that_the_gates_ask_for_and_there_is_not(gates: Gates) -> None:
    with pytest.raises(ValueError, match="not: macro_f1; there are: average_precision, roc_auc, mcc"):
        decide(GOOD, None, gates)
