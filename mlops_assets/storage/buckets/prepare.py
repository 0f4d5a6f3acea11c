"""The way in: every bucket that the settings name, prepared. What fails for one bucket does not keep the others from being prepared."""

from collections.abc import Sequence
from pathlib import Path

from mlops_assets.settings import Settings
from mlops_assets.storage.buckets.change import Change, Outcome
from mlops_assets.storage.buckets.gcs import prepare_gcs
from mlops_assets.storage.buckets.plan import buckets_of
from mlops_assets.storage.buckets.s3 import prepare_s3
from mlops_assets.storage.lake import Lake


def prepare(settings: Settings, intermediate: Sequence[str], *, location: str = "", dry_run: bool = False) -> list[Change]:
    """Makes the buckets there are to be, and sets what is to hold for them. Doing it again changes nothing.

    `intermediate` are the assets of the lake, as `domain/stage`, that expire after MLOPS_LAKE_RETENTION_DAYS. Rules of somebody else stay
    as they are. `location` is where new buckets of Google's are made; S3 has AWS_DEFAULT_REGION. With `dry_run` nothing is touched.

    Credentials that may not make buckets are enough where they are there. Whatever fails is in the list. ValueError, before anything is
    touched, if the settings are none that `buckets_of` takes.
    """
    buckets = buckets_of(settings, intermediate)
    changes = [] if "://" in settings.lake_uri else [_prepare_folder(settings.lake_uri, dry_run)]
    for bucket in buckets:
        try:
            changes += (
                prepare_s3(bucket, dry_run=dry_run) if bucket.store == "s3" else prepare_gcs(bucket, location=location, dry_run=dry_run)
            )
        except ModuleNotFoundError as error:
            changes.append(Change(bucket.address, "bucket", Outcome.FAILED, f"{error.name} is missing: install mlops-assets[cloud]"))
    return changes


def _prepare_folder(uri: str, dry_run: bool) -> Change:
    folder = Path(Lake(uri).uri)
    outcome = Outcome.UNCHANGED if folder.is_dir() else Outcome.MADE
    try:
        if not dry_run:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return Change(str(folder), "folder", Outcome.FAILED, str(error))
    return Change(str(folder), "folder", outcome, "nothing expires in a folder: intermediate stages stay until somebody deletes them")
