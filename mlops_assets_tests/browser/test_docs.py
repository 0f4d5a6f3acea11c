"""What a developer does at the API's /docs, on a machine without internet: a prediction with the example that is there."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from mlops_assets_tests.running_api import Api, running
from mlops_assets_tests.small_systems import FLOWERS, TABULAR, Registry


@pytest.fixture(scope="module")
def api(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Two champions, served; not started where there is no browser."""
    store = Registry(tmp_path_factory.mktemp("registry"))
    for domain in TABULAR:
        store.publish(domain)
    with running(store.uri, tmp_path_factory.mktemp("home"), TABULAR) as found:
        yield found.until_ok()


@pytest.fixture
def offline(api: Api, page: Page) -> Iterator[Page]:
    """A page that reaches the API only, and must not have asked for anything else, nor met an error."""
    problems: list[str] = []

    def refuse(route: Route) -> None:
        problems.append(route.request.url)
        route.abort()

    page.route(lambda url: not url.startswith((api.url, "data:")), refuse)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    assert problems == []


def test_the_example_of_a_system_is_tried_out_and_answered(api: Api, offline: Page) -> None:
    offline.goto(f"{api.url}/docs")
    operation = offline.locator(f"#operations-predictions-predictions_{FLOWERS.name}")
    operation.get_by_role("button", name=f"Predict: {FLOWERS.title}").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()

    answer = operation.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_have_text("200")
    body = json.loads(answer.locator(".highlight-code code").first.inner_text())
    assert (body["model"], body["model_version"], len(body["predictions"])) == (FLOWERS.name, "1", 1)
