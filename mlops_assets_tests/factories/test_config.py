"""Run config from a spec, as a real run takes or refuses it."""

from dataclasses import dataclass, field
from typing import Any, Literal

import dagster as dg
import pytest

from mlops_assets.domain import Range, Split
from mlops_assets.factories.config import config_schema, configured


@dataclass(frozen=True)
class Spec:
    """One field of each kind that specs have."""

    kind: Literal["random", "temporal"] = "random"
    share: float = 0.2
    seed: int = 42
    strict: bool = True
    metric: str = "average_precision"
    columns: tuple[str, ...] = ("size",)
    space: Range = field(default_factory=lambda: Range(0, 1))


DECLARED = Spec(seed=7)


def run(config: dict[str, Any] | None = None) -> list[Spec]:
    """What an asset sees that takes its config from the spec."""
    seen: list[Spec] = []

    @dg.asset(config_schema=config_schema(DECLARED))
    def stage(context: dg.AssetExecutionContext) -> None:
        seen.append(configured(DECLARED, context))

    dg.materialize([stage], run_config={"ops": {"stage": {"config": config}}} if config else None)
    return seen


def test_schema_offers_the_simple_fields_with_the_domains_values() -> None:
    schema = config_schema(DECLARED)

    assert {name: item.default_value for name, item in schema.items()} == {
        "kind": "random",
        "share": 0.2,
        "seed": 7,
        "strict": True,
        "metric": "average_precision",
    }
    assert not any(item.is_required for item in schema.values())


def test_run_without_config_sees_what_the_domain_declares() -> None:
    assert run() == [DECLARED]


def test_run_with_config_sees_it_in_place_of_the_defaults() -> None:
    assert run({"kind": "temporal", "seed": 1, "strict": False}) == [Spec(kind="temporal", seed=1, strict=False)]
    assert run({"share": 1}) == [Spec(share=1, seed=7)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "alphabetical"),
        ("share", "a fifth"),
        ("seed", 1.5),
        ("seed", True),
        ("strict", "yes"),
        ("metric", 3),
        ("columns", ["weight"]),
        ("sed", 1),
    ],
)
def test_wrong_value_is_refused_by_the_fields_name(name: str, value: Any) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match=rf"\b{name}\b"):
        run({name: value})


def test_several_assets_of_one_job_may_offer_the_same_choices() -> None:
    split = Split()
    other = Split(kind="temporal")

    @dg.asset(config_schema=config_schema(split))
    def one(context: dg.AssetExecutionContext) -> str:
        return configured(split, context).kind

    @dg.asset(config_schema=config_schema(other))
    def two(context: dg.AssetExecutionContext) -> str:
        return configured(other, context).kind

    result = dg.materialize([one, two])

    assert (result.output_for_node("one"), result.output_for_node("two")) == ("random", "temporal")
