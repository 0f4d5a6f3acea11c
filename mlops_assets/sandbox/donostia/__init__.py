"""A stand-in for Donostia's car park feed, with generated or replayed counts, and an archive of them."""

from mlops_assets.sandbox.donostia.feed import PATH
from mlops_assets.sandbox.donostia.parkings import PARKINGS
from mlops_assets.sandbox.donostia.sandbox import DonostiaSandbox

__all__ = ["PARKINGS", "PATH", "DonostiaSandbox"]
