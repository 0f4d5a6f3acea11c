"""Which buckets the settings name, and what expires in them. Pure: asks no store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from mlops_assets.settings import Settings

Store = Literal["s3", "gs"]
COMPUTE_LOGS = "compute_logs"
"""The prefix of runs' output in its bucket, as deploy/dagster/dagster.yaml has it; and the name of its rule."""
INCOMPLETE_DAYS = 7
"""So long an upload in parts may take. What a killed writer leaves behind is no object, but it is paid for."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """What lies under a key prefix goes `days` after it was written; `name` tells the rule from others."""

    name: str
    prefix: str
    days: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that there is to be."""

    store: Store
    name: str
    prefix: str
    """A key prefix that the platform may list: credentials may be good for no more than that."""
    expiries: tuple[Expiry, ...] = ()

    @property
    def address(self) -> str:
        """For people."""
        return f"{self.store}://{self.name}"


def buckets_of(settings: Settings, intermediate: Sequence[str]) -> list[Bucket]:
    """The buckets of lake, MLflow's artifacts and compute logs, each once. `intermediate`: assets of the lake that expire, `domain/stage`.

    ValueError if one of them is in a store that is none of `Store`.
    """
    days = settings.mlops_lake_retention_days
    lake = _bucket(settings.lake_uri)
    found = []
    if lake:
        expiries = [Expiry(asset, f"{lake.prefix}{asset}/", days) for asset in sorted(intermediate)]
        found.append(Bucket(lake.store, lake.name, lake.prefix, tuple(expiries)))
    artifacts = _bucket(settings.mlflow_artifacts_destination or "")
    if artifacts:
        found.append(artifacts)
    if settings.mlops_compute_logs_bucket:
        prefix = f"{COMPUTE_LOGS}/"
        store = lake.store if lake else "s3"
        found.append(Bucket(store, settings.mlops_compute_logs_bucket, prefix, (Expiry(COMPUTE_LOGS, prefix, days),)))
    return _merged(found)


def _bucket(uri: str) -> Bucket | None:
    """The bucket of an address, with the address's own prefix; None for a folder."""
    store, separator, rest = uri.partition("://")
    if not separator or store == "file":
        return None
    if store not in get_args(Store):
        raise ValueError(f"{uri}: buckets are made in {' and '.join(f'{known}://' for known in get_args(Store))} only")
    name, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    return Bucket(cast("Store", store), name, f"{prefix}/" if prefix else "")


def _merged(buckets: Iterable[Bucket]) -> list[Bucket]:
    merged: dict[str, Bucket] = {}
    for bucket in buckets:
        same = merged.get(bucket.address)
        expiries = (*same.expiries, *bucket.expiries) if same else bucket.expiries
        merged[bucket.address] = Bucket(bucket.store, bucket.name, same.prefix if same else bucket.prefix, expiries)
    return list(merged.values())
