"""Everything that Donostia parking gives to Dagster: its own assets and checks, the factories' stages, jobs, schedule and sensor."""

import dagster as dg

from mlops_assets.domains.donostia_parking.assets import ASSETS
from mlops_assets.domains.donostia_parking.checks import CHECKS
from mlops_assets.domains.donostia_parking.spec import DONOSTIA_PARKING
from mlops_assets.factories.system import forecasting_definitions

DEFINITIONS: dg.Definitions = forecasting_definitions(DONOSTIA_PARKING, ASSETS, CHECKS)
