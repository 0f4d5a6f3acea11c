"""The entry that Streamlit runs: navigation, the choice of the system, and what the API says at the moment.

The pages are in `views`: a folder called `pages` Streamlit would run by itself, without this entry.
"""

import streamlit as st

from mlops_assets.dashboard import notices, session
from mlops_assets.dashboard.answers import Models
from mlops_assets.dashboard.client import ApiError, UnexpectedAnswerError

REFRESH = "5s"
SETTINGS = "Settings"  # the page that works without the API


def main() -> None:
    """Draws the page asked for. A page's own errors with the API become notices."""
    st.set_page_config(page_title="mlops-assets", page_icon=":material/monitoring:", layout="wide")
    page = st.navigation(
        [
            st.Page("views/home.py", title="Home", icon=":material/home:", default=True),
            st.Page("views/predictions.py", title="Predictions", icon=":material/edit_note:"),
            st.Page("views/analytics.py", title="Analytics", icon=":material/bar_chart:"),
            st.Page("views/model.py", title="Model", icon=":material/model_training:"),
            st.Page("views/settings.py", title=SETTINGS, icon=":material/settings:"),
        ]
    )
    models = _models()
    with st.sidebar:
        if isinstance(models, Models):
            session.choose_system({model.name: model.title for model in models.models})
        _status(models)
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
    chosen = next((model for model in now.models if model.name == session.system()), None)
    if chosen:
        st.caption(f"Champion: version {chosen.version}" if chosen.ready else "No champion yet")


main()
