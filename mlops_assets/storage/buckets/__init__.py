"""The buckets of a deployment: made, shut to the public, and given rules by which what is stored only for a while expires.

`prepare` is the way in; `plan.py` says what there is to be, `s3.py` and `gcs.py` bring a store there. Nothing here touches an object.
"""

from mlops_assets.storage.buckets.change import Change, Outcome
from mlops_assets.storage.buckets.prepare import prepare

__all__ = ["Change", "Outcome", "prepare"]
