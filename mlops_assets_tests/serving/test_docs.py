"""The documentation's page: it and all that it loads come from the API itself."""

import re
from typing import Any


def test_the_page_and_what_it_loads_come_from_the_api(api: Any) -> None:
    page = api.get("/docs")

    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert page.status_code == 200
    assert sorted(loaded) == ["/docs/assets/favicon.png", "/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css"]
    assert "://" not in page.text.replace(api.url, "")
    for path in loaded:
        assert api.get(path).status_code == 200, path


def test_there_is_one_page_of_documentation(api: Any) -> None:
    assert api.get("/redoc").status_code == 404
