"""Promotion: `champion` moves the alias for a version that the gate approved, and for no other."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.domain import TabularDomain
from mlops_assets.factories.keys import asset_key, frame_asset
from mlops_assets.factories.release import GATE, PARITY, metrics_of, release_assets, release_checks, require_one_version
from mlops_assets.ml import registry
from mlops_assets.ml.provenance import Provenance
from mlops_assets.partitions import partitions_of

Failures = Callable[[dg.ExecuteInProcessResult], dict[str, str]]
MONTH = "2017-03"


def _register(workshop: Any, domain: TabularDomain) -> str:
    provenance = Provenance(dagster_run_id="r", partition=MONTH, code_version="c", git_commit="g", fingerprint="f")
    version = registry.register(workshop.client, domain.name, "file:///nowhere", run_id="r" * 32, provenance=provenance)
    return str(version.version)


def _registered(domain: TabularDomain, version: str) -> dg.AssetsDefinition:
    @frame_asset(domain, "registered_model", "A registered version.")
    def registered_model() -> Any:
        return pd.DataFrame({"name": [domain.name], "version": [version]}, dtype="string[pyarrow]")

    return registered_model


def _gate(domain: TabularDomain, verdict: bool | None, champion: str | None = None) -> dg.AssetChecksDefinition:
    """A gate that passes, fails, or crashes for None."""

    @dg.asset_check(asset=asset_key(domain, "registered_model"), name=GATE, blocking=True, partitions_def=partitions_of(domain.cadence))
    def gate(registered_model: Any) -> dg.AssetCheckResult:
        if verdict is None:
            raise RuntimeError("the champion cannot be loaded")
        judged = {"champion_version": champion} if champion else {}
        return dg.AssetCheckResult(passed=verdict, metadata={"version": str(registered_model["version"].iloc[0]), **judged})

    return gate


def _parity(domain: TabularDomain, holds: bool = True) -> dg.AssetChecksDefinition:
    """The other check that a champion needs."""

    @dg.asset_check(asset=asset_key(domain, "registered_model"), name=PARITY, blocking=True, partitions_def=partitions_of(domain.cadence))
    def parity(registered_model: Any) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=holds, metadata={"version": str(registered_model["version"].iloc[0])})

    return parity


def _champion(domain: TabularDomain) -> dg.AssetsDefinition:
    return release_assets(domain)[-1]


def _champion_version(workshop: Any, domain: TabularDomain) -> str | None:
    version = registry.by_alias(workshop.client, domain.name, registry.CHAMPION)
    return None if version is None else str(version.version)


@pytest.fixture
def versions(workshop: Any, toy: TabularDomain) -> tuple[str, str]:
    """Two registered versions; the first is champion."""
    first, second = _register(workshop, toy), _register(workshop, toy)
    registry.set_alias(workshop.client, toy.name, registry.CHAMPION, first)
    return first, second


def test_release_has_two_checks_and_they_block(toy: TabularDomain) -> None:
    specs = {spec.name: spec for check in release_checks(toy) for spec in check.check_specs}

    assert set(specs) == {"registered_model_reproduces_the_lineage", GATE}
    assert all(spec.blocking and spec.asset_key == asset_key(toy, "registered_model") for spec in specs.values())


def test_champion_moves_for_a_version_that_passed_in_the_same_run(workshop: Any, toy: TabularDomain, versions: tuple[str, str]) -> None:
    result = workshop.materialize([_registered(toy, versions[1]), _gate(toy, True), _parity(toy), _champion(toy)], MONTH)

    assert result.success
    assert _champion_version(workshop, toy) == versions[1]
    assert workshop.frame("toy/champion", MONTH).to_dict("records") == [{"name": "toy", "version": versions[1]}]


def test_champion_does_not_move_for_a_version_that_failed(workshop: Any, toy: TabularDomain, versions: tuple[str, str]) -> None:
    result = workshop.materialize([_registered(toy, versions[1]), _gate(toy, False), _champion(toy)], MONTH)

    assert not result.success
    assert "toy__champion" not in {event.step_key for event in result.all_events if event.is_step_start}
    assert _champion_version(workshop, toy) == versions[0]


def test_champion_alone_moves_for_a_version_that_passed_before(workshop: Any, toy: TabularDomain, versions: tuple[str, str]) -> None:
    registered, champion = _registered(toy, versions[1]), _champion(toy)
    assert workshop.materialize([registered, _gate(toy, True), _parity(toy)], MONTH).success

    assert workshop.materialize([registered, champion], MONTH, selection=[champion]).success

    assert _champion_version(workshop, toy) == versions[1]


@pytest.mark.parametrize("verdict", [None, False])
def test_champion_alone_does_not_move_after_a_gate_that_crashed_or_failed(
    workshop: Any, toy: TabularDomain, versions: tuple[str, str], failures: Failures, verdict: bool | None
) -> None:
    registered, champion = _registered(toy, versions[1]), _champion(toy)
    assert not workshop.materialize([registered, _gate(toy, verdict), _parity(toy)], MONTH).success

    found = failures(workshop.materialize([registered, champion], MONTH, selection=[champion]))

    assert list(found) == ["toy__champion"]
    assert f"toy version {versions[1]} has not passed {GATE}" in found["toy__champion"]
    assert "run toy_training for 2017-03" in found["toy__champion"]
    assert _champion_version(workshop, toy) == versions[0]


@pytest.mark.parametrize("is_other_approved", [True, False])
def test_champion_alone_does_not_move_for_a_version_that_nobody_judged(
    workshop: Any, toy: TabularDomain, versions: tuple[str, str], failures: Failures, is_other_approved: bool
) -> None:
    if is_other_approved:
        assert workshop.materialize([_registered(toy, versions[0]), _gate(toy, True), _parity(toy)], MONTH).success
    registered, champion = _registered(toy, versions[1]), _champion(toy)
    assert workshop.materialize([registered], MONTH).success

    found = failures(workshop.materialize([registered, champion], MONTH, selection=[champion]))

    assert f"toy version {versions[1]} has not passed {PARITY}" in found["toy__champion"]
    assert _champion_version(workshop, toy) == versions[0]


def test_champion_alone_does_not_move_for_a_version_that_differs_from_the_lineage(
    workshop: Any, toy: TabularDomain, versions: tuple[str, str], failures: Failures
) -> None:
    registered, champion = _registered(toy, versions[1]), _champion(toy)
    assert not workshop.materialize([registered, _gate(toy, True), _parity(toy, holds=False)], MONTH).success

    found = failures(workshop.materialize([registered, champion], MONTH, selection=[champion]))

    assert f"has not passed {PARITY}" in found["toy__champion"]
    assert _champion_version(workshop, toy) == versions[0]


def test_champion_alone_does_not_move_once_another_version_is_champion(
    workshop: Any, toy: TabularDomain, versions: tuple[str, str], failures: Failures
) -> None:
    registered, champion = _registered(toy, versions[1]), _champion(toy)
    assert workshop.materialize([registered, _gate(toy, True, champion=versions[0]), _parity(toy)], MONTH).success
    third = _register(workshop, toy)
    registry.set_alias(workshop.client, toy.name, registry.CHAMPION, third)

    found = failures(workshop.materialize([registered, champion], MONTH, selection=[champion]))

    assert f"has not passed {GATE} against the present champion ({third})" in found["toy__champion"]
    assert _champion_version(workshop, toy) == third


def test_two_versions_of_a_training_stage_are_refused(toy: TabularDomain) -> None:
    raw = {"toy/raw": {"2017-02": "a+b"}, "toy/enricher": {"2017-03": "a+b"}}
    assert require_one_version({**raw, "toy/encoder": {"2017-03": "a"}}, toy, MONTH)

    with pytest.raises(dg.Failure, match=r"two different versions of toy/encoder: run toy_training"):
        require_one_version({**raw, "toy/encoder": {"2017-03": "a+b"}}, toy, MONTH)


def test_metrics_of_reads_the_stored_table() -> None:
    assert metrics_of(pd.DataFrame({"metric": ["mcc", "brier"], "value": [0.5, 0.1]})) == {"mcc": 0.5, "brier": 0.1}
