"""The folder of all local state."""

from mlops_assets.doctor.folder import crowded, free_space, unwritable
from mlops_assets.doctor.problem import Finding, Part
from mlops_assets.settings import Settings

SETTING = "MLOPS_HOME"


def examine(settings: Settings, thorough: bool) -> list[Finding]:  # noqa: ARG001  # it is cheap
    """That MLOPS_HOME can be written, and has room."""
    home = settings.home
    problems = unwritable(Part.DISK, home, SETTING) or crowded(Part.DISK, home, SETTING)
    return [Finding(Part.DISK, str(home), "" if problems else free_space(home), tuple(problems))]
