"""The systems that are served: found by name and by what they do, with the champion that answers for each."""

from collections.abc import Sequence
from typing import overload

from mlops_assets.domain import Domain, ForecastDomain, TabularDomain
from mlops_assets.serving.champion import AnyChampion, Classifier, Forecaster
from mlops_assets.serving.errors import ApiError
from mlops_assets.serving.watcher import RegistryWatcher


class Systems:
    """Domains by name and by the name of their registered model."""

    def __init__(self, domains: Sequence[Domain], watcher: RegistryWatcher) -> None:
        """ValueError if two systems claim one name or the API at the root."""
        self.domains = tuple(domains)
        self.classifying = tuple(domain for domain in domains if isinstance(domain, TabularDomain))
        """Those that predict records."""
        self.forecasting = tuple(domain for domain in domains if isinstance(domain, ForecastDomain))
        """Those that forecast series."""
        self._watcher = watcher
        names = [name for domain in domains for name in {domain.name, domain.model_name}]
        if len(names) != len(set(names)):
            raise ValueError(f"two systems have the same name: {', '.join(sorted(names))}")
        self._by_name = {name: domain for domain in domains for name in (domain.name, domain.model_name)}
        compatible = [domain for domain in self.classifying if domain.compatible_api]
        if len(compatible) > 1:
            raise ValueError(f"only one system can answer at the root: {', '.join(domain.name for domain in compatible)}")
        self.compatible = compatible[0] if compatible else None

    def domain(self, name: str) -> Domain:
        """The system. ApiError 404 names the ones there are."""
        domain = self._by_name.get(name)
        if domain is None:
            raise ApiError(404, f"there is no model {name!r}; there are: {', '.join(domain.name for domain in self.domains)}")
        return domain

    def tabular(self, name: str) -> TabularDomain:
        """The system that predicts records. ApiError 404 as `domain`, or because it does something else."""
        domain = self.domain(name)
        if not isinstance(domain, TabularDomain):
            raise ApiError(404, f"{domain.name} predicts no records, it forecasts series: ask POST /models/{domain.name}/forecast")
        return domain

    def forecaster(self, name: str) -> ForecastDomain:
        """The system that forecasts series. ApiError 404 as `domain`, or because it does something else."""
        domain = self.domain(name)
        if not isinstance(domain, ForecastDomain):
            raise ApiError(404, f"{domain.name} forecasts no series, it predicts records: ask POST /models/{domain.name}/predict")
        return domain

    def compatible_domain(self) -> tuple[TabularDomain, str]:
        """The system that answers at the root, and the key of the records in its requests. ApiError 404 without one."""
        domain = self.compatible
        if domain is None or domain.compatible_api is None:
            raise ApiError(404, "no system answers at the root")
        return domain, domain.compatible_api.records

    @overload
    def champion(self, domain: TabularDomain) -> Classifier: ...
    @overload
    def champion(self, domain: ForecastDomain) -> Forecaster: ...
    def champion(self, domain: Domain) -> AnyChampion:
        """What is served now; ask once for each request. ApiError 503 says why there is none."""
        slot = self._watcher.slots[domain.name]
        champion = slot.champion
        if champion is None:
            why = slot.problem or self._watcher.registry_problem or "it is being loaded"
            raise ApiError(503, f"{domain.name} cannot be served yet: {why}", headers={"retry-after": "5"})
        return champion
