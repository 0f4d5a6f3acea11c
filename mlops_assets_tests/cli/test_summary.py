"""What `mlops-assets run` prints at the end, and whether it counts as success."""

import io
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from mlops_assets.cli.summary import print_summary
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.factories.release import GATE
from mlops_assets.ml.promotion import Decision
from mlops_assets.ml.release import Verdict

WINDOW = ["2017-11", "2017-12"]
METRICS = {"roc_auc": 0.9, "average_precision": 0.75, "mcc": 0.6, "brier": 0.1}


def _ingest() -> dg.ExecuteInProcessResult:
    def rows(stage: str, count: int) -> dg.AssetsDefinition:
        @dg.asset(key=["chicago_crime", stage])
        def counted() -> dg.MaterializeResult[Any]:
            return dg.MaterializeResult(metadata={"dagster/row_count": count})

        return counted

    return dg.materialize([rows("enriched", 43_210), rows("rejected_crimes", 12)])


def _training(*, promote: bool, champion: dict[str, float] | None = None, is_broken: bool = False) -> dg.ExecuteInProcessResult:
    """A run of the gate, and of another step beside it that may be broken."""
    from mlops_assets.factories.reports import report_verdict

    @dg.asset(key=["chicago_crime", "registered_model"])
    def registered_model() -> None:
        """Registered."""

    @dg.asset_check(asset=registered_model, name=GATE, blocking=True)
    def gate() -> dg.AssetCheckResult:
        return report_verdict(Verdict("8", Decision(promote, "so it is decided"), METRICS, "7" if champion else None, champion))

    @dg.asset(key=["chicago_crime", "split_comparison"])
    def split_comparison() -> None:
        if is_broken:
            raise RuntimeError("no rows of both classes")

    return dg.materialize([registered_model, gate, split_comparison], raise_on_error=False)


def _print(training: dg.ExecuteInProcessResult | None, ingest: dg.ExecuteInProcessResult | None = None) -> tuple[bool, str]:
    console = Console(file=io.StringIO(), width=140)
    succeeded = print_summary(console, CHICAGO_CRIME, WINDOW, ingest or _ingest(), training)
    assert isinstance(console.file, io.StringIO)
    return succeeded, console.file.getvalue()


def test_summary_of_a_promotion_shows_rows_metrics_and_version() -> None:
    succeeded, text = _print(_training(promote=True))

    assert succeeded
    assert "Chicago crime, 2017-11 to 2017-12" in text
    assert "43,210 enriched, 12 set aside" in text
    assert "roc_auc 0.9000   average_precision 0.7500   mcc 0.6000" in text
    assert "none before this run" in text
    assert "chicago_crime version 8" in text
    assert "yes: so it is decided" in text
    assert "models trace chicago_crime@champion" in text


def test_summary_of_a_challenger_that_lost_is_a_success_and_says_no() -> None:
    succeeded, text = _print(_training(promote=False, champion=METRICS | {"mcc": 0.7}))

    assert succeeded
    assert "no: so it is decided" in text
    assert "mcc 0.7000" in text


@pytest.mark.parametrize("promote", [True, False])
def test_summary_of_a_step_that_broke_is_a_failure_whatever_the_verdict(promote: bool) -> None:
    succeeded, text = _print(_training(promote=promote, is_broken=True))

    assert not succeeded
    assert "chicago_crime__split_comparison: RuntimeError: no rows of both classes" in text


def test_summary_of_an_ingest_that_failed_gives_its_error() -> None:
    @dg.asset(key=["chicago_crime", "raw_crimes"])
    def raw_crimes() -> None:
        raise dg.Failure("the portal is closed")

    succeeded, text = _print(None, dg.materialize([raw_crimes], raise_on_error=False))

    assert not succeeded
    assert "chicago_crime__raw_crimes: the portal is closed" in text


@pytest.mark.parametrize(("tracking_uri", "shown"), [("", "make mlflow"), ("http://mlflow.example:5000", "http://mlflow.example:5000")])
def test_summary_leads_to_the_mlflow_that_holds_the_run(monkeypatch: pytest.MonkeyPatch, tracking_uri: str, shown: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)

    _, text = _print(_training(promote=True))

    assert f"MLflow UI: {shown} " in text
