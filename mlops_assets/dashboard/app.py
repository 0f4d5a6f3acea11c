"""The entry that Streamlit runs: navigation, the choice of the system, and what the API says at the moment.

The pages are in `views`: a folder called `pages` Streamlit would run by itself, without this entry.
"""

from typing import Literal

import streamlit as st

from mlops_assets.dashboard import notices, session
from mlops_assets.dashboard.answers import Model, Models
from mlops_assets.dashboard.client import ApiError, UnexpectedAnswerError

REFRESH = "5s"
SETTINGS = "Settings"  # the page that works without the API
PREDICTIONS, FORECAST = "Predictions", "Forecast"  # the two of which a system has one


def main() -> None:
    """Draws the page asked for. A page's own errors with the API become notices."""
    st.set_page_config(page_title="mlops-assets", page_icon=":material/monitoring:", layout="wide")
    models = _models()
    before = _chosen(models)
    predictions = st.Page(
        "views/predictions.py", title=PREDICTIONS, icon=":material/edit_note:", visibility=_shown(before, forecasts=False)
    )
    forecast = st.Page("views/forecast.py", title=FORECAST, icon=":material/timeline:", visibility=_shown(before, forecasts=True))
    page = st.navigation(
        [
            st.Page("views/home.py", title="Home", icon=":material/home:", default=True),
            predictions,
            forecast,
            st.Page("views/analytics.py", title="Analytics", icon=":material/bar_chart:"),
            st.Page("views/model.py", title="Model", icon=":material/model_training:"),
            st.Page("views/settings.py", title=SETTINGS, icon=":material/settings:"),
        ]
    )
    with st.sidebar:
        if isinstance(models, Models):
            session.choose_system(models.models, first=_first(models, page.title))
        _status(models)
    chosen = _chosen(models)
    if chosen != before:
        st.rerun()  # with the pages of the system that was chosen first
    if chosen and page.title in (PREDICTIONS, FORECAST) and (page.title == FORECAST) != chosen.forecasts:
        st.switch_page(forecast if chosen.forecasts else predictions)
    if isinstance(models, ApiError) and page.title != SETTINGS:
        st.title(page.title, anchor=False)
        notices.show(models)
        return
    with notices.guarded():
        page.run()


def _models() -> Models | ApiError:
    try:
        models = session.models()
    except ApiError as error:
        return error
    return models if models.models else UnexpectedAnswerError("It serves no system.")


def _chosen(models: Models | ApiError) -> Model | None:
    """The system that the session looks at, if the API serves it."""
    served = models.models if isinstance(models, Models) else []
    return next((model for model in served if model.name == session.system()), None)


def _first(models: Models, page: str) -> Model:
    """The first system that has the page."""
    fitting = [model for model in models.models if page not in (PREDICTIONS, FORECAST) or model.forecasts == (page == FORECAST)]
    return (fitting or models.models)[0]


def _shown(chosen: Model | None, *, forecasts: bool) -> Literal["visible", "hidden"]:
    """Whether a page for systems of one kind is in the navigation."""
    return "visible" if chosen is None or chosen.forecasts == forecasts else "hidden"


@st.fragment(run_every=REFRESH)
def _status(shown: Models | ApiError) -> None:
    """Looks again every few seconds; draws the whole page anew when the API came, went, or serves something else."""
    now = _models()
    if now != shown and not (isinstance(now, ApiError) and isinstance(shown, ApiError)):
        st.rerun()
    if isinstance(now, ApiError):
        st.caption(":red[●] Prediction API not connected")
        return
    st.caption(":green[●] Prediction API connected")
    chosen = _chosen(now)
    if chosen:
        st.caption(f"Champion: version {chosen.version}" if chosen.ready else "No champion yet")


main()
