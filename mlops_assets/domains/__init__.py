"""The one registry of systems. Imports specs only, so that serving can read it without Dagster."""

from mlops_assets.domain import Domain
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.domains.forest_cover.spec import FOREST_COVER

DOMAINS: dict[str, Domain] = {domain.name: domain for domain in (CHICAGO_CRIME, FOREST_COVER, DONOSTIA_PARKING)}
