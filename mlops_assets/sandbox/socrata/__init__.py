"""A stand-in for Chicago's Socrata portal (SODA 2), with generated or replayed data."""

from mlops_assets.sandbox.socrata.sandbox import SocrataSandbox

__all__ = ["SocrataSandbox"]
