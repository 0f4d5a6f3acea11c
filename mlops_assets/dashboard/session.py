"""What one browser session looks at: the API's address and key, the system chosen, and what the API said a moment ago."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from mlops_assets.dashboard.answers import ModelDetail, Models, Sample, Versions
from mlops_assets.dashboard.client import Api
from mlops_assets.domain import Domain
from mlops_assets.domains import DOMAINS
from mlops_assets.settings import Settings

FRESH_SECONDS = 2.0
"""How old an answer about a champion may be: a promoted version shows within seconds."""
SAMPLE_SECONDS = 60.0
SAMPLE_ROWS = 2000
ADDRESS, KEY, SYSTEM, LAST_SYSTEM = "api_address", "api_key", "system", "last_system"


def api() -> Api:
    """The API of this session. The key of the settings goes to the address of the settings only."""
    settings = Settings()
    address = st.session_state.get(ADDRESS, settings.mlops_api_url)
    own = settings.api_keys[0] if settings.api_keys and address == settings.mlops_api_url else ""
    return Api(address, st.session_state.get(KEY) or own)


def models() -> Models:
    """Every system. Raises ApiError."""
    return _models(api())


def model() -> ModelDetail:
    """The chosen system in full. Raises ApiError."""
    return _model(api(), system())


def versions() -> Versions:
    """The chosen system's versions. Raises ApiError."""
    return _versions(api(), system())


def sample() -> Sample:
    """A sample of the chosen system's observations. Raises ApiError."""
    return _sample(api(), system())


def system() -> str:
    """The chosen system's name; empty while there is none to choose."""
    return str(st.session_state.get(SYSTEM, ""))


def choose_system(titles: Mapping[str, str]) -> None:
    """A selector of one of the systems, name -> title. The choice outlives a time without the API."""
    if st.session_state.get(SYSTEM) not in titles:
        last = st.session_state.get(LAST_SYSTEM)
        st.session_state[SYSTEM] = last if last in titles else next(iter(titles))
    st.session_state[LAST_SYSTEM] = st.selectbox("System", list(titles), format_func=lambda name: titles.get(name, name), key=SYSTEM)


def domain() -> Domain | None:
    """The chosen system's declaration; None for one that only the API knows."""
    return DOMAINS.get(system())


def forget() -> None:
    """Lets the next look ask the API again."""
    for cached in (_models, _model, _versions, _sample):
        cached.clear()


_HASH: dict[str | type[Any], Callable[[Any], Any]] = {Api: lambda api: (api.address, api.key)}


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False, hash_funcs=_HASH)
def _models(api: Api) -> Models:
    return api.models()


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False, hash_funcs=_HASH)
def _model(api: Api, name: str) -> ModelDetail:
    return api.model(name)


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False, hash_funcs=_HASH)
def _versions(api: Api, name: str) -> Versions:
    return api.versions(name)


@st.cache_data(ttl=SAMPLE_SECONDS, show_spinner="Reading a sample of the observations …", hash_funcs=_HASH)
def _sample(api: Api, name: str) -> Sample:
    return api.sample(name, SAMPLE_ROWS)
