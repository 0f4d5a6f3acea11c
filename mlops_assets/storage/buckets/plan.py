"""Which buckets the settings name, and what expires in them. Pure: asks no store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal, cast, get_args

from mlops_assets.settings import Settings

Store = Literal["s3", "gs"]
LAKE = "MLOPS_LAKE_URI"
ARTIFACTS = "MLFLOW_ARTIFACTS_DESTINATION"
LOGS = "MLOPS_COMPUTE_LOGS_BUCKET"
STAGE_DEPTH = 2
"""An asset of the lake is `domain/stage`."""
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
class Area:
    """What one setting keeps in a bucket: everything under a key prefix. Rules for other prefixes are somebody else's."""

    setting: str
    prefix: str
    """Ends with a slash; empty where the setting names the bucket alone."""
    expiries: tuple[Expiry, ...] = ()
    depth: int | None = None
    """How many folders below `prefix` its expiries are; None where nothing expires."""

    def has_expiry(self, prefix: str) -> bool:
        """Whether this expires, or did under earlier settings: what expires for a lake below this one, or above it, does not count."""
        return prefix.startswith(self.prefix) and prefix.removeprefix(self.prefix).count("/") == self.depth


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that there is to be."""

    store: Store
    name: str
    areas: tuple[Area, ...]

    @property
    def address(self) -> str:
        """For people."""
        return f"{self.store}://{self.name}"

    @property
    def prefix(self) -> str:
        """A key prefix that the platform may list: credentials may be good for no more than that."""
        return self.areas[0].prefix


def buckets_of(settings: Settings, intermediate: Sequence[str]) -> list[Bucket]:
    """The buckets of lake, MLflow's artifacts and compute logs, each once. `intermediate`: assets of the lake that expire, `domain/stage`.

    ValueError if one of them is in a store that is none of `Store`, if an address or a name is malformed, and if something that expires for
    one of them is another one's to keep.
    """
    days = settings.mlops_lake_retention_days
    found = []
    lake = _parsed(LAKE, settings.mlops_lake_uri or "")
    if lake:
        store, name, prefix = lake
        expiries = tuple(Expiry(asset, f"{prefix}{asset}/", days) for asset in sorted(intermediate))
        found.append(Bucket(store, name, (Area(LAKE, prefix, expiries, STAGE_DEPTH),)))
    artifacts = _parsed(ARTIFACTS, settings.mlflow_artifacts_destination or "")
    if artifacts:
        store, name, prefix = artifacts
        found.append(Bucket(store, name, (Area(ARTIFACTS, prefix),)))
    if settings.mlops_compute_logs_bucket:
        name, prefix = settings.mlops_compute_logs_bucket, f"{COMPUTE_LOGS}/"
        if set(name) & set(":/@"):
            raise ValueError(f"{LOGS}: is an address, not the name of a bucket: write the bucket's name only")
        store = lake[0] if lake else "s3"
        found.append(Bucket(store, name, (Area(LOGS, prefix, (Expiry(COMPUTE_LOGS, prefix, days),), 0),)))
    merged = _merged(found)
    for bucket in merged:
        _require_apart(bucket)
    return merged


def _parsed(setting: str, uri: str) -> tuple[Store, str, str] | None:
    """Store, bucket and key prefix of an address; None for a folder. No message repeats the address, which may hold a secret."""
    known = get_args(Store)
    store, separator, rest = uri.partition("://")
    if not separator and uri.partition(":")[0] in known and ":" in uri:
        raise ValueError(f"{setting}: a slash is missing: write {uri.partition(':')[0]}://bucket/prefix")
    if not separator or store == "file":
        return None
    if store not in known:
        raise ValueError(f"{setting}: buckets are made in {' and '.join(f'{name}://' for name in known)} only")
    if "@" in rest:
        raise ValueError(f"{setting}: holds credentials, which would stand in logs: write {store}://bucket/prefix without them")
    name, *folders = rest.removesuffix("/").split("/")
    if not all((name, *folders)):
        raise ValueError(f"{setting}: has nothing between two slashes: write {store}://bucket/prefix")
    return cast("Store", store), name, "".join(f"{folder}/" for folder in folders)


def _require_apart(bucket: Bucket) -> None:
    """ValueError if what expires for one area holds another one, or lies in it.

    An area that is the whole bucket has room for others: systems, experiments and compute logs have names of their own there.
    """
    clashes = [
        (expiry.prefix, area, other)
        for area, other in permutations(bucket.areas, 2)
        for expiry in area.expiries
        if other.prefix.startswith(expiry.prefix) or (other.prefix and expiry.prefix.startswith(other.prefix))
    ]
    if clashes:
        prefix, area, other = min(clashes, key=lambda clash: len(clash[0]))  # the one that takes most away
        raise ValueError(
            f"{area.setting} lets {bucket.address}/{prefix} expire, and {other.setting} keeps what is under "
            f"{bucket.address}/{other.prefix}: give each of them a bucket or a prefix of its own"
        )


def _merged(buckets: Iterable[Bucket]) -> list[Bucket]:
    merged: dict[str, Bucket] = {}
    for bucket in buckets:
        same = merged.get(bucket.address)
        merged[bucket.address] = Bucket(bucket.store, bucket.name, (*same.areas, *bucket.areas) if same else bucket.areas)
    return list(merged.values())
