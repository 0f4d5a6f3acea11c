"""What a page says instead of a traceback when there is nothing to show, and what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import streamlit as st

from mlops_assets.dashboard import session
from mlops_assets.dashboard.client import ApiError, ApiKeyRefusedError, ApiUnreachableError, FrozenFeedError, NotReadyError, TooLargeError
from mlops_assets.dashboard.wording import ago, moment, sentence


@contextmanager
def guarded() -> Iterator[None]:
    """Shows what goes wrong with the API in the block as a notice."""
    try:
        yield
    except ApiError as error:
        show(error)


def show(error: ApiError) -> None:
    """The error in plain words with the next step."""
    address = session.api().address
    match error:
        case ApiUnreachableError():
            st.warning(
                f"**The prediction API does not answer.** Nobody listens at {address}, or not in time. Start it in the project folder:"
            )
            st.code("make serve", language="bash")
            st.caption("If it runs elsewhere, give its address under Settings. This page tries again every few seconds.")
        case ApiKeyRefusedError():
            st.warning(f"**The prediction API refuses the API key.** {sentence(str(error))}")
            st.markdown("Enter a valid key under Settings, or start the dashboard with `MLOPS_API_KEYS` set to one.")
        case FrozenFeedError(since=since):
            st.warning(
                f"**The feed is frozen since {moment(since)}** ({ago(since, datetime.now(UTC))}): the upstream has given the same values "
                "over and over. That is no data, so nothing is forecast from it."
            )
            st.caption("Forecasts come back by themselves once the values move again.")
        case NotReadyError():
            st.info(f"**The prediction API has no answer to this yet.** {sentence(str(error))}")
            if session.system():
                without_champion(session.system())
        case TooLargeError():
            st.warning(f"**Too much at once for the prediction API.** {sentence(str(error))} Send fewer or smaller records.")
        case _:
            st.warning(f"**The prediction API gave an answer that the dashboard cannot use.** {sentence(str(error))}")
            st.caption("Check the address under Settings. If it is right, the API's own log says more.")


def without_champion(name: str) -> None:
    """How to get a first champion."""
    st.markdown(
        "If nothing was ingested or trained so far, do both in the project folder; the API then serves the champion within seconds:"
    )
    st.code(f"make run DOMAIN={name}", language="bash")
