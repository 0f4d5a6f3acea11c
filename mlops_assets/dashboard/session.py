"""What one browser session looks at: the API's address and key, the system chosen, and what the API said a moment ago."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from mlops_assets.dashboard.answers import Accuracy, Forecast, Forecasting, History, Model, ModelDetail, Models, Sample, Versions
from mlops_assets.dashboard.client import Api, UnexpectedAnswerError
from mlops_assets.domain import Domain, TabularDomain
from mlops_assets.domains import DOMAINS
from mlops_assets.settings import Settings

FRESH_SECONDS = 2.0
"""How old an answer about a champion may be: a promoted version shows within seconds."""
SAMPLE_SECONDS = 60.0
SERIES_SECONDS = 30.0
"""Series, forecasts and their accuracy change once an hour."""
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


def forecasting() -> Forecasting:
    """How the chosen system forecasts. Raises ApiError."""
    found = model().forecasting
    if found is None:
        raise UnexpectedAnswerError(f"It does not say how {system()} forecasts.")
    return found


def forecast(series: str | None, horizon: int) -> Forecast:
    """The chosen system's forecast of one series; None: the total. Raises ApiError."""
    return _forecast(api(), system(), model().version, forecasting().id_column, series, horizon)


def history(hours: int) -> History:
    """All series of the chosen system. Raises ApiError."""
    return _history(api(), system(), forecasting().id_column, hours)


def accuracy(series: str | None, days: int) -> Accuracy:
    """How good the chosen system's forecasts of one series were. Raises ApiError."""
    return _accuracy(api(), system(), forecasting().id_column, series, days)


def system() -> str:
    """The chosen system's name; empty while there is none to choose."""
    return str(st.session_state.get(SYSTEM, ""))


def choose_system(models: Sequence[Model], *, first: Model) -> None:
    """A selector of one of the systems, `first` where there was no choice. The choice outlives a time without the API."""
    titles = {model.name: model.title for model in models}
    if st.session_state.get(SYSTEM) not in titles:
        last = st.session_state.get(LAST_SYSTEM)
        st.session_state[SYSTEM] = last if last in titles else first.name
    st.session_state[LAST_SYSTEM] = st.selectbox("System", list(titles), format_func=lambda name: titles.get(name, name), key=SYSTEM)


def domain() -> Domain | None:
    """The chosen system's declaration; None for one that only the API knows."""
    return DOMAINS.get(system())


def tabular_domain() -> TabularDomain | None:
    """The chosen system's declaration if it classifies records."""
    found = domain()
    return found if isinstance(found, TabularDomain) else None


def forget() -> None:
    """Lets the next look ask the API again."""
    for cached in (_models, _model, _versions, _sample, _forecast, _history, _accuracy):
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


@st.cache_data(ttl=SERIES_SECONDS, show_spinner="Asking the model …", hash_funcs=_HASH)
def _forecast(api: Api, name: str, version: str | None, id_column: str, series: str | None, horizon: int) -> Forecast:  # noqa: ARG001  # tells champions apart
    return api.forecast(name, id_column, series, horizon)


@st.cache_data(ttl=SERIES_SECONDS, show_spinner="Reading the series …", hash_funcs=_HASH)
def _history(api: Api, name: str, id_column: str, hours: int) -> History:
    return api.history(name, id_column, hours)


@st.cache_data(ttl=SERIES_SECONDS, show_spinner="Reading past forecasts …", hash_funcs=_HASH)
def _accuracy(api: Api, name: str, id_column: str, series: str | None, days: int) -> Accuracy:
    return api.accuracy(name, id_column, series, days)
