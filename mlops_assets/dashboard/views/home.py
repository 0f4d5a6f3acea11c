"""Home: what this is, and the systems with their champions."""

from datetime import UTC, datetime

import streamlit as st

from mlops_assets.dashboard import notices, session
from mlops_assets.dashboard.answers import Model
from mlops_assets.dashboard.metrics import leading
from mlops_assets.dashboard.wording import ago, count, moment, number, title
from mlops_assets.domains import DOMAINS

QUICK_METRICS = 4


def card(model: Model) -> None:
    """One system: its champion with its first metrics, or how to get one."""
    with st.container(border=True):
        st.subheader(model.title, anchor=False)
        st.write(model.description)
        if not model.ready:
            st.info("**No champion yet.**")
            notices.without_champion(model.name)
            return
        st.markdown(
            f"**Champion version {model.version}** &nbsp;·&nbsp; trained {moment(model.trained_at)} "
            f"&nbsp;:gray[{ago(model.trained_at, datetime.now(UTC))}]"
        )
        shown = leading(model.metrics, DOMAINS.get(model.name))[:QUICK_METRICS]
        for place, name in zip(st.columns(QUICK_METRICS), shown, strict=False):
            place.metric(title(name), number(model.metrics[name]))


st.title("Models in service", anchor=False)
st.write(
    "Every system here is trained by the platform from raw data and promoted only when it beats the champion before it. "
    "Try the models under Predictions or Forecast, look at their data under Analytics, and trace a version to its raw data under Model."
)
systems = session.models().models
ready = sum(model.ready for model in systems)
st.caption(f"{count(len(systems), 'system')}, {ready} with a champion")
for system in systems:
    card(system)
