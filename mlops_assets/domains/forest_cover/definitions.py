"""Everything that forest cover gives to Dagster: its own assets and checks, the factories' stages, jobs and sensors."""

import dagster as dg

from mlops_assets.domains.forest_cover.assets import ASSETS
from mlops_assets.domains.forest_cover.automation import batch_sensor
from mlops_assets.domains.forest_cover.checks import CHECKS
from mlops_assets.domains.forest_cover.spec import FOREST_COVER
from mlops_assets.factories.system import system_definitions

DEFINITIONS: dg.Definitions = system_definitions(FOREST_COVER, ASSETS, CHECKS, sensors=[batch_sensor])
