"""The promotion rule."""

import math

import pytest

from mlops_assets.domain import Gates
from mlops_assets.ml.promotion import decide

GATES = Gates(metric="average_precision", minimum={"roc_auc": 0.8, "mcc": 0.4})
LESS = Gates(metric="mase", better="less", maximum={"mase": 2.0})
GOOD = {"average_precision": 0.7, "roc_auc": 0.9, "mcc": 0.5}


def test_decide_promotes_the_first_model_that_reaches_every_gate() -> None:
    decision = decide(GOOD, None, GATES)

    assert decision.promote
    assert decision.reason == "the first champion: every gate is reached, average_precision 0.7000"


@pytest.mark.parametrize(
    ("challenger", "promote"),
    [(0.7, False), (math.nextafter(0.7, 1), True), (0.8, True), (math.nextafter(0.7, 0), False), (0.6, False)],
)
def test_decide_promotes_only_what_is_strictly_better_than_the_champion(challenger: float, promote: bool) -> None:
    decision = decide(GOOD | {"average_precision": challenger}, GOOD, GATES)

    assert decision.promote is promote
    assert decision.reason == f"average_precision {challenger:.4f} against the champion's 0.7000 on the same rows"


@pytest.mark.parametrize(
    ("challenger", "promote"),
    [(0.9, False), (math.nextafter(0.9, 0), True), (0.5, True), (math.nextafter(0.9, 1), False), (1.5, False)],
)
def test_decide_takes_less_for_better_where_the_gates_say_so(challenger: float, promote: bool) -> None:
    decision = decide({"mase": challenger}, {"mase": 0.9}, LESS, compared_on="cutoffs")

    assert decision.promote is promote
    assert decision.reason == f"mase {challenger:.4f} against the champion's 0.9000 on the same cutoffs"


@pytest.mark.parametrize(("value", "promote"), [(1.9, True), (2.0, True), (math.nextafter(2.0, 3), False), (math.inf, False)])
@pytest.mark.parametrize("champion", [None, {"mase": 99.0}])
def test_decide_refuses_what_exceeds_a_maximum(value: float, promote: bool, champion: dict[str, float | None] | None) -> None:
    decision = decide({"mase": value}, champion, LESS)

    assert decision.promote is promote
    assert promote or decision.reason == f"mase {value:.4f} is above 2"


@pytest.mark.parametrize("unmeasured", [None, math.nan])
def test_decide_takes_what_cannot_be_measured_as_the_first_champion_only(unmeasured: float | None) -> None:
    first = decide({"mase": unmeasured}, None, LESS)

    assert (first.promote, first.reason) == (True, "the first champion: mase cannot be measured yet")
    for champion in (unmeasured, 1.9):
        later = decide({"mase": unmeasured}, {"mase": champion}, LESS)
        assert (later.promote, later.reason) == (False, "mase cannot be measured yet, and only the first champion may go without")


def test_decide_holds_what_is_measured_against_its_gate_even_where_the_gate_metric_is_not() -> None:
    gates = Gates(metric="mase", better="less", maximum={"mase": 2.0, "mae": 50.0})

    assert decide({"mase": None, "mae": 60.0}, None, gates).reason == "mae 60.0000 is above 50"
    assert decide({"mase": None, "mae": 40.0}, None, gates).promote


@pytest.mark.parametrize("champion", [{"mase": None}, {"mase": math.nan}, {}])
def test_decide_prefers_any_judged_challenger_to_a_champion_that_cannot_be_measured(champion: dict[str, float | None]) -> None:
    decision = decide({"mase": 1.9}, champion, LESS, compared_on="cutoffs")

    assert (decision.promote, decision.reason) == (True, "mase 1.9000; the champion's cannot be measured on the same cutoffs")
    assert not decide({"mase": 2.1}, champion, LESS).promote


@pytest.mark.parametrize("champion", [None, {"average_precision": 0.1}])
@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({"mcc": 0.39}, "mcc 0.3900 is below 0.4"),
        ({"mcc": 0.39, "roc_auc": 0.5}, "roc_auc 0.5000 is below 0.8; mcc 0.3900 is below 0.4"),
        ({"mcc": math.nan}, "mcc cannot be measured, and has to reach 0.4"),
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


@pytest.mark.parametrize(
    "gates",
    [
        Gates(metric="macro_f1", minimum={"mcc": 0.4}),
        Gates(minimum={"macro_f1": 0.4, "mcc": 0.4}),
        Gates(maximum={"macro_f1": 0.4}),
    ],
)
def test_decide_names_a_metric_that_the_gates_ask_for_and_there_is_not(gates: Gates) -> None:
    with pytest.raises(ValueError, match="not: macro_f1; there are: average_precision, roc_auc, mcc"):
        decide(GOOD, None, gates)
