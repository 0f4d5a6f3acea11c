"""A stand-in for the forest cover batch API, with generated or replayed samples."""

from mlops_assets.sandbox.forest_cover.sandbox import ForestCoverSandbox

__all__ = ["ForestCoverSandbox"]
