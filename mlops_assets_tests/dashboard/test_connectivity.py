"""Probes of the services, and the options that Streamlit is started with."""

from typing import Any

import pytest
from streamlit import config

from mlops_assets.dashboard import theme
from mlops_assets.dashboard.connectivity import Service, probe, services


def test_service_that_answers_as_itself(api: Any) -> None:
    found = probe(services(api.url, "", "")[0])

    assert (found.answers, found.report, found.detail) == (True, "status ok", "connected")
    assert found.milliseconds is not None


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'"x"'])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_another_server_at_the_address_is_told(api: Any, position: int, body: bytes) -> None:
    api.fault = (200, body)

    found = probe(services(api.url, api.url, api.url)[position])

    assert not found.answers
    assert "not as" in found.detail


@pytest.mark.parametrize("position", [0, 1, 2])
def test_service_that_is_down_says_how_to_start_it(position: int) -> None:
    service = services("http://127.0.0.1:9", "http://127.0.0.1:9", "http://127.0.0.1:9")[position]

    found = probe(service)

    assert (found.answers, found.milliseconds) == (False, None)
    assert service.start in found.detail


@pytest.mark.parametrize("address", ["", "nonsense", "http://["])
def test_address_that_is_none_is_no_answer(address: str) -> None:
    assert not probe(Service("x", address, "/", lambda response: response.text, "make x")).answers


def test_mlflow_and_dagster_tell_their_version(api: Any) -> None:
    _, mlflow, dagster = services("", api.url, api.url)

    api.fault = (200, b"3.17.2\n")
    assert probe(mlflow).report == "version 3.17.2"
    api.fault = (200, b'{"dagster_version": "1.13.27"}')
    assert probe(dagster).report == "version 1.13.27"


def test_streamlit_knows_every_option_and_reports_nothing() -> None:
    arguments = theme.command_line("127.0.0.1", 8501)
    options = dict(argument.removeprefix("--").split("=", 1) for argument in arguments[2:])

    assert arguments[:2] == ["run", str(theme.ENTRY)]
    assert not [name for name in options if name not in config.get_config_options()]
    assert options["browser.gatherUsageStats"] == "false"
    assert (options["server.address"], options["server.port"]) == ("127.0.0.1", "8501")
