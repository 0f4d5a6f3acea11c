"""Settings: where this session finds the API, with which key, and what answers."""

import platform
from importlib.metadata import version

import pandas as pd
import streamlit as st

from mlops_assets.dashboard import session
from mlops_assets.dashboard.client import address_problem
from mlops_assets.dashboard.connectivity import probe, services
from mlops_assets.dashboard.wording import MISSING
from mlops_assets.settings import Settings

PACKAGES = ("mlops-assets", "streamlit", "plotly", "pandas")


def connection(settings: Settings) -> None:
    """The API's address and key, for this session only."""
    st.subheader("Prediction API", anchor=False)
    api = session.api()
    with st.form("connection"):
        address = st.text_input("Address", api.address, help="Default: MLOPS_API_URL")
        own = "the first of MLOPS_API_KEYS is used" if settings.api_keys else "none"
        key = st.text_input("API key", type="password", placeholder=own, help="Kept in this session only; sent to this address only.")
        saved = st.form_submit_button("Use for this session", type="primary")
    if not saved:
        return
    problem = address_problem(address.strip())
    if problem:
        st.error(problem)
        return
    st.session_state[session.ADDRESS] = address.strip().rstrip("/")
    st.session_state[session.KEY] = key.strip()
    session.forget()
    st.rerun()


def connectivity(settings: Settings) -> None:
    """Which services answer."""
    st.subheader("Connectivity", anchor=False)
    with st.spinner("Asking …"):
        probes = [probe(service) for service in services(session.api().address, settings.mlflow_ui_url, settings.dagster_ui_url)]
    rows = [
        {
            "Service": found.service.name,
            "Address": found.service.address,
            "Answers": "yes" if found.answers else "no",
            "Latency": f"{found.milliseconds:,.0f} ms" if found.milliseconds is not None else MISSING,
            "Says": found.report or MISSING,
            "Detail": found.detail,
        }
        for found in probes
    ]
    st.table(pd.DataFrame(rows).set_index("Service"), border="horizontal")
    st.button("Check again")


def releases() -> None:
    """What the dashboard itself runs on."""
    st.subheader("Versions", anchor=False)
    rows = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    st.caption(" · ".join(f"{name} {release}" for name, release in rows.items()))


def main() -> None:
    """All of it."""
    settings = Settings()
    st.title("Settings", anchor=False)
    connection(settings)
    connectivity(settings)
    releases()


main()
