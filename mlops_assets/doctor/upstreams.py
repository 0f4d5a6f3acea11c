"""The upstreams: whether their addresses answer at all. What they answer is the business of the ingest."""

from concurrent.futures import ThreadPoolExecutor

from mlops_assets.doctor.problem import Finding, Part, Problem
from mlops_assets.doctor.web import cause
from mlops_assets.settings import Settings

TIMEOUT_SECONDS = 8


def examine(settings: Settings, thorough: bool) -> list[Finding]:  # noqa: ARG001  # it is only asked for by name
    """Each upstream that has an address."""
    addresses = {
        "SOCRATA_URL": settings.socrata_url,
        "FOREST_API_URL": settings.forest_api_url,
        "DONOSTIA_API_URL": settings.donostia_api_url,
    }
    set_ones = [(name, url) for name, url in addresses.items() if url]
    with ThreadPoolExecutor(len(set_ones)) as pool:
        return list(pool.map(lambda one: _reached(*one), set_ones))


def _reached(setting: str, url: str) -> Finding:
    import requests

    try:
        with requests.get(url, timeout=TIMEOUT_SECONDS, stream=True) as answer:
            status, server = answer.status_code, answer.headers.get("server", "")
    except requests.RequestException as error:
        remedy = f"look whether this machine reaches it (proxy, firewall), or correct {setting}"
        return Finding(Part.UPSTREAMS, url, "", (Problem(Part.UPSTREAMS, f"{url} cannot be reached: {cause(error)}", remedy, heals=True),))
    if status >= 500:
        what, remedy = f"{url} answers {status}", "ask again later; runs try several times by themselves"
        return Finding(Part.UPSTREAMS, url, server, (Problem(Part.UPSTREAMS, what, remedy, heals=True),))
    return Finding(Part.UPSTREAMS, url, server)
