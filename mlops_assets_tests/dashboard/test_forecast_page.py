"""The pages of a forecasting system: series, forecasts and their accuracy, and what is said when there are none."""

import json
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mlops_assets_tests.dashboard.fake_forecasts import GAP_HOURS
from mlops_assets_tests.dashboard.test_views import text

DONOSTIA = "donostia_parking"
ACCURACY_CHARTS = 5


@pytest.fixture
def forecasts(api: Any) -> Any:
    """The forecasting system behind the API."""
    return api.served[DONOSTIA]


@pytest.fixture
def open_donostia(open_page: Any) -> Any:
    """Opens a page of it."""

    def open_it(page: str) -> AppTest:
        app: AppTest = open_page(page)
        return app.selectbox(key="system").set_value(DONOSTIA).run()

    return open_it


def traces(app: AppTest) -> list[list[str]]:
    """The named traces of every chart, in the order of the page."""
    charts = [json.loads(chart.proto.spec)["data"] for chart in app.get("plotly_chart")]
    return [[trace["name"] for trace in chart if "name" in trace] for chart in charts]


def test_page_that_a_system_lacks_gives_way_to_the_one_it_has(api: Any, open_page: Any) -> None:
    app = open_page("forecast")
    assert app.title[0].value == "Predictions: Forest cover"

    app.selectbox(key="system").set_value(DONOSTIA).run()

    assert app.title[0].value == "Forecast: Donostia parking"
    assert not app.file_uploader


def test_forecast_is_of_the_total_as_far_as_it_is_published_with_its_origin(api: Any, open_donostia: Any) -> None:
    app = open_donostia("forecast")

    assert not app.exception
    assert api.asked == [{"horizon": 24, "parking_id": None}]
    assert traces(app)[0] == ["Observed", "Upper end", "80% interval", "Forecast"]
    said = text(app)
    for part in ("**mstl**", "version **2**", "up to **13 May 2022, 08:00 UTC**", "created at **13 May 2022, 09:00 UTC**", "633 observed"):
        assert part in said
    assert f"{len(GAP_HOURS)} hours of 168" in said
    assert "own method" not in said


def test_series_horizon_and_history_are_those_chosen(api: Any, open_donostia: Any) -> None:
    app = open_donostia("forecast")
    series = app.selectbox(key=f"series:{DONOSTIA}")
    assert series.options == ["The whole city", "Arcco", "Kursaal", "Okendo"]

    series.set_value("id-arcco")
    app.slider[0].set_value(72)
    app.selectbox(key=f"days:{DONOSTIA}").set_value(2).run()

    assert api.asked[-1] == {"horizon": 72, "parking_id": "id-arcco"}
    assert "hours of 48" in text(app)
    assert any(found.value == "Past accuracy: Arcco" for found in app.subheader)
    assert len(app.dataframe[0].value) == 72


def test_past_accuracy_is_shown_against_the_wanted_share(api: Any, open_donostia: Any) -> None:
    app = open_donostia("forecast")

    assert {metric.label: metric.value for metric in app.metric} == {
        "Mean absolute error": "120",
        "Within the interval (wanted: 80%)": "78.2%",
        "Forecasts scored": "11,520",
    }
    assert len(traces(app)) == 1 + ACCURACY_CHARTS


def test_fallback_says_why_another_method_forecast(forecasts: Any, open_donostia: Any) -> None:
    forecasts.reason = "3 observed hours; mstl needs 336"

    app = open_donostia("forecast")

    assert [info.value for info in app.info] == ["**Not by the model's own method.** 3 observed hours; mstl needs 336."]
    assert "**seasonal_naive**" in text(app)


def test_frozen_feed_is_told_with_its_beginning_and_the_history_stays(forecasts: Any, open_donostia: Any) -> None:
    forecasts.frozen_hours = 13

    app = open_donostia("forecast")

    assert not app.exception
    assert "frozen since 12 May 2022, 20:00 UTC" in app.warning[0].value
    assert traces(app)[0] == ["Observed", "Frozen feed: no data"]
    assert "Method" not in text(app)
    assert app.metric


def test_nothing_scored_yet_is_a_sentence(forecasts: Any, open_donostia: Any) -> None:
    forecasts.scored_days = 0

    app = open_donostia("forecast")

    assert not app.exception
    assert "No forecast for the last 28 days has been scored" in app.info[0].value
    assert not app.metric


@pytest.mark.parametrize(("champion", "observations"), [(0, 0), (2, 0), (0, 48)])
def test_without_champion_or_history_it_says_once_how_to_get_both(
    forecasts: Any, open_donostia: Any, champion: int, observations: int
) -> None:
    forecasts.champion, forecasts.observations = champion, observations

    app = open_donostia("forecast")

    assert not app.exception
    assert [code.value for code in app.code] == [f"make run DOMAIN={DONOSTIA}"]
    assert bool(app.get("plotly_chart")) is bool(observations)


def test_refused_key_of_a_forecast_leaves_the_history(api: Any, open_donostia: Any) -> None:
    api.key = "right"

    app = open_donostia("forecast")

    assert "refuses the API key" in text(app)
    assert traces(app)[0] == ["Observed"]


def test_new_champion_forecasts_at_once(api: Any, forecasts: Any, open_donostia: Any) -> None:
    app = open_donostia("forecast")
    forecasts.champion = 3
    st.cache_data.clear()

    app.run()

    assert "version **3**" in text(app)


def test_analytics_show_every_car_park_and_its_hours_as_a_table(api: Any, open_donostia: Any) -> None:
    app = open_donostia("analytics")

    assert not app.exception
    assert traces(app) == [["Arcco", "Kursaal", "Okendo"]]
    states, data = (found.value for found in app.dataframe)
    assert states[["name", "total", "observed", "gap"]].to_numpy().tolist()[0] == ["Arcco", 320.0, 162, 6]
    assert len(data) == 3 * 168
    assert data["value"].isna().sum() == 3 * len(GAP_HOURS)
    assert app.get("download_button")[0].label == "Download the data"

    app.multiselect[0].set_value([None]).run()

    assert traces(app) == [["The whole city"]]


def test_model_shows_methods_and_ranges_and_nothing_of_classes(api: Any, open_donostia: Any) -> None:
    app = open_donostia("model")

    listed = "\n".join(table.value.to_string() for table in app.table)
    assert "Method" in listed
    assert "Decision threshold" not in listed
    ranges = next(found.value for found in app.dataframe if "Digest of data versions" in found.value)
    assert ranges.to_numpy().tolist()[0][1:4] == ["2022-04-14T05", "2022-05-12T04", 633]
    comparison = next(found.value for found in app.dataframe if "Challenger is" in found.value)
    assert dict(zip(comparison["Metric"], comparison["Challenger is"], strict=True))["MASE"] == "better"
