"""The objects that the doctor writes into stores, and removes."""

PROBES = ".doctor"
"""The folder of the probes below a store's prefix; no asset is called so."""
CONTENT = b"A probe of `mlops-assets doctor`. It may be deleted.\n"
