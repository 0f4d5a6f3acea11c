"""What a user sees and does in the Dagster UI: the lineage of a system, and one month materialized by hand."""

import re
from typing import Any

from playwright.sync_api import Page, expect
from pyarrow import parquet

STAGES = ("raw_crimes", "enriched", "balanced", "model", "registered_model", "champion")
MONTH = "2017-03"


def test_lineage_shows_the_stages_from_raw_rows_to_the_champion(platform: Any, page: Page) -> None:
    page.goto(f"{platform.url}/locations/mlops_assets/asset-groups/chicago_crime/lineage")

    for stage in STAGES:
        expect(page.get_by_text(stage, exact=True)).to_be_visible()


def test_month_materialized_by_hand_is_shown_and_stored(platform: Any, page: Page) -> None:
    page.goto(f"{platform.url}/assets/chicago_crime/raw_crimes")
    page.get_by_role("button", name="Materialize…").click()
    months = page.get_by_placeholder(re.compile("^ex: "))
    months.fill(MONTH)
    months.press("Tab")
    page.get_by_role("button", name="Launch 1 run").click()
    page.get_by_role("link", name="View", exact=True).click()
    expect(page).to_have_url(re.compile("/runs/"))
    expect(page.get_by_text("Success", exact=True)).to_be_visible()

    page.goto(f"{platform.url}/assets/chicago_crime/raw_crimes?view=partitions&partition={MONTH}")
    row_count = page.get_by_role("row").filter(has_text="dagster/row_count")
    expect(row_count).to_contain_text(str(platform.rows))
    stored = parquet.read_metadata(platform.lake / "chicago_crime" / "raw_crimes" / f"{MONTH}.parquet")
    assert stored.num_rows == platform.rows
