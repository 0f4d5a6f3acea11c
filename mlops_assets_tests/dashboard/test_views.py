"""Every page: with the API up, down, without a champion, and with a key that is refused; what analysts read and do there."""

import io
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mlops_assets.domains.forest_cover.spec import FOREST_COVER

PAGES = ("home", "predictions", "forecast", "analytics", "model", "settings")
SERVED = (
    *((system, page) for system in ("forest_cover", "chicago_crime") for page in PAGES if page != "forecast"),
    *(("donostia_parking", page) for page in PAGES if page != "predictions"),
)
TITLES = {"home": "Models in service", "settings": "Settings"}
EXAMPLE = {field.name: field.example for field in FOREST_COVER.request}


def text(app: AppTest) -> str:
    """All that stands on the page, notices and code included."""
    parts = [*app.title, *app.subheader, *app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.code]
    return "\n".join(str(part.value) for part in parts)


def upload(app: AppTest, content: str) -> AppTest:
    app.file_uploader[0].set_value(("samples.csv", content.encode(), "text/csv")).run()
    next(button for button in app.button if button.label.startswith("Predict ") and "record" in button.label).click().run()
    return app


@pytest.mark.parametrize(("system", "page"), SERVED)
def test_page_of_a_served_system_shows_itself_without_any_notice(api: Any, open_page: Any, page: str, system: str) -> None:
    app = open_page(page)
    app.selectbox(key="system").set_value(system).run()

    assert not app.exception
    assert not app.error
    assert not app.warning
    assert app.title[0].value == TITLES.get(page, f"{page.capitalize()}: {api.served[system].domain.title}")


@pytest.mark.parametrize("page", PAGES)
def test_page_without_the_api_says_how_to_start_it(no_api: None, open_page: Any, page: str) -> None:
    app = open_page(page)

    assert not app.exception
    assert "make serve" in (text(app) if page != "settings" else app.table[0].value.to_string())
    assert any("not connected" in caption.value for caption in app.sidebar.caption)


@pytest.mark.parametrize("page", ["home", "predictions", "analytics", "model"])
def test_page_of_a_system_without_champion_says_how_to_get_one(api: Any, open_page: Any, page: str) -> None:
    api.served["chicago_crime"].champion = 0
    api.served["chicago_crime"].observations = 0

    app = open_page(page)
    app.selectbox(key="system").set_value("chicago_crime").run()

    assert not app.exception
    assert "make run DOMAIN=chicago_crime" in text(app)


@pytest.mark.parametrize("page", ["home", "predictions", "analytics", "model"])
def test_refused_key_is_named_with_where_to_enter_one(api: Any, open_page: Any, page: str) -> None:
    api.key, api.key_for_everything = "right", True

    app = open_page(page)

    assert not app.exception
    assert "refuses the API key" in text(app)
    assert "Settings" in text(app)


@pytest.mark.parametrize("fault", [(500, b"<html>"), (200, b'{"models": 3}'), (200, b'{"models": []}')])
def test_answer_of_something_else_is_no_traceback(api: Any, open_page: Any, fault: tuple[int, bytes]) -> None:
    api.fault = fault

    app = open_page("model")

    assert not app.exception
    assert "cannot use" in text(app)


def test_home_shows_all_champions_with_their_deciding_metric_first(api: Any, open_page: Any) -> None:
    app = open_page("home")

    assert [metric.label for metric in app.metric][::4] == ["Macro F1", "Average precision", "MASE"]
    assert app.metric[0].value == "0.871"
    assert text(app).count("Champion version 2") == 3


def test_promoted_champion_shows_as_soon_as_the_last_answer_is_old(api: Any, open_page: Any) -> None:
    app = open_page("home")
    api.served["forest_cover"].champion = 3
    st.cache_data.clear()

    app.run()

    assert "Champion version 3" in text(app)
    assert any(caption.value == "Champion: version 3" for caption in app.sidebar.caption)


def test_the_chosen_system_outlives_an_outage(api: Any, open_page: Any) -> None:
    app = open_page("model")
    app.selectbox(key="system").set_value("chicago_crime").run()
    api.fault = (500, b"")
    st.cache_data.clear()
    app.run()
    assert "cannot use" in text(app)

    api.fault = None
    app.run()

    assert app.title[0].value == "Model: Chicago crime"


def test_form_starts_with_the_examples_and_sends_what_is_in_it(api: Any, open_page: Any) -> None:
    app = open_page("predictions")
    values = {widget.key: widget.value for widget in [*app.number_input, *app.selectbox] if str(widget.key).startswith("record:")}
    assert values == {f"record:forest_cover:{name}": value for name, value in EXAMPLE.items()}

    app.number_input(key="record:forest_cover:slope").set_value(None)
    app.button[0].click().run()

    assert not app.exception
    assert [metric.value for metric in app.metric] == ["Spruce/Fir (0)"]
    assert any("version 2" in caption.value for caption in app.main.caption)
    assert api.bodies[-1] == [{**EXAMPLE, "slope": None}]


def test_record_that_the_model_refuses_names_the_field(api: Any, open_page: Any) -> None:
    app = open_page("predictions")

    app.number_input(key="record:forest_cover:elevation").set_value(-9999.0)
    app.button[0].click().run()

    assert [error.value for error in app.error] == ["**Elevation**: is too low"]
    assert not app.metric


def test_binary_prediction_is_yes_or_no(api: Any, open_page: Any) -> None:
    app = open_page("predictions")
    app.selectbox(key="system").set_value("chicago_crime").run()

    app.button[0].click().run()

    assert [(metric.label, metric.value) for metric in app.metric] == [("Arrest", "yes")]
    assert "probability of 0.41" in text(app)


def test_table_is_scored_with_class_names_beside_codes(api: Any, open_page: Any) -> None:
    app = open_page("predictions")

    next(button for button in app.button if button.label == "Predict the table").click().run()

    assert not app.exception
    scored = app.dataframe[-1].value
    assert scored["prediction"].tolist() == [0, 1, 2]
    assert scored["prediction_name"].tolist() == ["Spruce/Fir (0)", "Lodgepole Pine (1)", "Ponderosa Pine (2)"]


def test_file_is_scored_in_parts_and_its_bad_rows_are_named(api: Any, open_page: Any) -> None:
    frame = pd.DataFrame([EXAMPLE] * 2500).astype(object)
    frame["mine"] = range(2500)
    frame.loc[3, "elevation"], frame.loc[7, "aspect"], frame.loc[2400, "soil_type"] = "high", -9999.0, "C0000"

    app = upload(open_page("predictions"), frame.to_csv(index=False))

    assert not app.exception
    assert "2,497 records scored" in text(app)
    problems = next(found.value for found in app.dataframe if "Problem" in found.value)
    assert problems["Row"].tolist() == [4, 8, 2401]
    assert problems["Problem"].str.split(":").str[0].tolist() == ["elevation", "aspect", "soil_type"]
    assert max(records for _, _, records in api.requests) <= 1000
    download = app.get("download_button")[-1]
    assert download.label == "Download the predictions"


def test_file_that_is_no_table_gets_a_sentence(api: Any, open_page: Any) -> None:
    app = open_page("predictions")

    app.file_uploader[0].set_value(("samples.csv", b"\xff\xfe\x00", "text/csv")).run()

    assert not app.exception
    assert "not UTF-8" in app.error[0].value


def test_file_without_a_needed_column_says_which(api: Any, open_page: Any) -> None:
    app = upload(open_page("predictions"), "elevation,slope\n1,2\n")

    assert "lacks aspect," in app.error[0].value


def test_analytics_begins_with_elevation_against_slope(api: Any, open_page: Any) -> None:
    app = open_page("analytics")

    assert app.selectbox(key="across:forest_cover").value == "elevation"
    assert app.selectbox(key="up:forest_cover").value == "slope"
    assert len(app.get("plotly_chart")) == 5


def test_model_shows_challenger_links_and_every_partition(api: Any, open_page: Any) -> None:
    app = open_page("model")

    frames = [found.value for found in app.dataframe]
    comparison = next(frame for frame in frames if "Challenger is" in frame)
    verdicts = dict(zip(comparison["Metric"], comparison["Challenger is"], strict=True))
    assert (verdicts["Macro F1"], verdicts["Log loss"], verdicts["Rows"]) == ("better", "worse", "")
    partitions = next(frame for frame in frames if "Data version" in frame)
    assert partitions["Partition"].tolist() == [f"{batch:02}" for batch in range(1, 11)]
    assert [link.proto.url for link in app.get("link_button")] == list(api.served["forest_cover"].detail()["links"].values())


@pytest.mark.parametrize(
    ("newest", "champion", "said"), [(3, 3, "The newest version, 3, is the champion"), (3, 2, ""), (12, 12, "The newest version, 12,")]
)
def test_champion_that_is_the_newest_version_is_said_to_be(api: Any, open_page: Any, newest: int, champion: int, said: str) -> None:
    api.served["forest_cover"].newest, api.served["forest_cover"].champion = newest, champion

    app = open_page("model")

    assert [said in info.value for info in app.info] == ([True] if said else [])


def test_address_and_key_of_the_session_are_used(api: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_API_URL", "http://127.0.0.1:9")
    api.key, api.key_for_everything = "right", True
    app = open_page("settings")

    app.text_input[0].set_value(f"{api.url}/")
    app.text_input[1].set_value("right")
    app.button[0].click().run()

    assert not app.exception
    assert any("Prediction API connected" in caption.value for caption in app.sidebar.caption)
    assert "status ok" in app.table[0].value.to_string()


def test_key_of_the_settings_goes_to_no_other_address(api: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MLOPS_API_KEYS", "of-the-operator, other")
    app = open_page("settings")

    app.text_input[0].set_value(api.url)
    app.button[0].click().run()

    assert api.requests
    assert set(api.keys) == {""}


def test_key_of_the_settings_goes_to_their_address(api: Any, open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_API_KEYS", "first, second")

    open_page("home")

    assert set(api.keys) == {"first"}


@pytest.mark.parametrize("address", ["", "localhost:8000", "file:///etc/passwd", "http://", "http://127.0.0.1:99999"])
def test_address_that_is_none_is_not_taken(api: Any, open_page: Any, address: str) -> None:
    app = open_page("settings")

    app.text_input[0].set_value(address)
    app.button[0].click().run()

    assert "address" in app.error[0].value


def test_file_whose_api_fails_on_the_way_keeps_what_was_scored(api: Any, open_page: Any) -> None:
    api.fault_after_predictions = 1
    buffer = io.StringIO()
    pd.DataFrame([EXAMPLE] * 1500).to_csv(buffer, index=False)

    app = upload(open_page("predictions"), buffer.getvalue())

    assert not app.exception
    assert "1,000 records scored" in text(app)
    assert "500 rows not" in text(app)
