"""Everything that Chicago crime gives to Dagster: its own assets and checks, the factories' stages, jobs, schedule and sensors."""

import dagster as dg

from mlops_assets.domains.chicago_crime.assets import ASSETS
from mlops_assets.domains.chicago_crime.automation import revision_sensor
from mlops_assets.domains.chicago_crime.checks import CHECKS
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.factories.system import system_definitions

DEFINITIONS: dg.Definitions = system_definitions(CHICAGO_CRIME, ASSETS, CHECKS, sensors=[revision_sensor])
