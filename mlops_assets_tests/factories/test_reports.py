"""What people see: tables, pictures and the gate's verdict."""

import base64

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.factories.reports import picture, report_verdict, table
from mlops_assets.ml.promotion import Decision
from mlops_assets.ml.release import Verdict


def test_table_is_markdown_with_four_decimals_and_blanks_for_what_is_missing() -> None:
    frame = pd.DataFrame({"feature": ["a|b", "c"], "score": [0.123456, float("nan")], "rows": [1, 2]})

    assert table(frame).value == "\n".join(["| feature | score | rows |", "| --- | --- | --- |", "| a\\|b | 0.1235 | 1 |", "| c |  | 2 |"])


def test_table_of_no_rows_has_its_head() -> None:
    assert table(pd.DataFrame({"a": [], "b": []})).value == "| a | b |\n| --- | --- |"


def test_picture_travels_inside_the_metadata() -> None:
    png = b"\x89PNG"

    head, _, data = str(picture(png, "Calibration").value).removesuffix(")").partition("base64,")

    assert head == "![Calibration](data:image/png;"
    assert base64.b64decode(data) == png


@pytest.mark.parametrize("promote", [True, False])
def test_verdict_is_the_checks_outcome_and_says_why(promote: bool) -> None:
    verdict = Verdict("7", Decision(promote, "mcc 0.5 against 0.4"), {"mcc": 0.5, "rows": 9.0}, "6", {"mcc": 0.4, "rows": 9.0})

    result = report_verdict(verdict)

    assert (result.passed, result.severity, result.description) == (promote, dg.AssetCheckSeverity.ERROR, "mcc 0.5 against 0.4")
    assert (result.metadata["version"].value, result.metadata["champion_version"].value) == ("7", "6")
    assert result.metadata["comparison"].value.splitlines()[0] == "| metric | challenger | champion |"
    assert "| mcc | 0.5000 | 0.4000 |" in result.metadata["comparison"].value
    assert result.metadata["metrics"].value == {"challenger": {"mcc": 0.5, "rows": 9.0}, "champion": {"mcc": 0.4, "rows": 9.0}}


def test_first_verdict_has_no_champion_beside_it() -> None:
    result = report_verdict(Verdict("1", Decision(True, "the first"), {"mcc": 0.5}, None, None))

    assert result.metadata["champion_version"].value == "none"
    assert result.metadata["metrics"].value == {"challenger": {"mcc": 0.5}}
    assert result.metadata["comparison"].value.splitlines() == ["| metric | challenger |", "| --- | --- |", "| mcc | 0.5000 |"]
