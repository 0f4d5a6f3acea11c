"""Who is champion: promotion by a run or by hand, and the way back.

Tags of the registry remember which version another one took the place of, and which ones a person has withdrawn.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from mlops_assets.ml import registry

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

BEFORE = "champion_before"
"""Tag of a version that was promoted: the champion that it took the place of."""
WITHDRAWN = "withdrawn"
"""Tag of a version that a person has taken back: when, and why. No run promotes it again."""


def promote(client: "MlflowClient", name: str, version: int | str) -> None:
    """Gives `@champion` to the version, which remembers the one before it. ValueError if it was withdrawn."""
    if since := withdrawn(client, name, version):
        raise ValueError(f"{name} version {version} was withdrawn by hand, {since}")
    before = registry.by_alias(client, name, registry.CHAMPION)
    if before and str(before.version) != str(version):
        client.set_model_version_tag(name, str(version), BEFORE, str(before.version))
    registry.set_alias(client, name, registry.CHAMPION, version)


def withdrawn(client: "MlflowClient", name: str, version: int | str) -> str | None:
    """When and why a person has taken the version back; None if nobody has."""
    return next((item.tags.get(WITHDRAWN) for item in registry.versions(client, name) if str(item.version) == str(version)), None)


def promote_by_hand(client: "MlflowClient", reference: str) -> "ModelVersion":
    """The version of `reference`, champion from now on, whatever any gate says, and no longer withdrawn. LookupError as `resolve`.

    ValueError if it cannot be loaded.
    """
    found = registry.resolve(client, reference)
    _require_loadable(found)
    if WITHDRAWN in found.tags:
        client.delete_model_version_tag(found.name, str(found.version), WITHDRAWN)
    promote(client, found.name, found.version)
    return found


def roll_back(client: "MlflowClient", name: str, reason: str, now: datetime) -> "tuple[ModelVersion, ModelVersion]":
    """Gives `@champion` back to the version that had it before, and withdraws the present one; gives the present one and the one before.

    LookupError if there is no champion or none before it, ValueError if that cannot be loaded; then nothing is changed.
    """
    present = registry.resolve(client, f"{name}@{registry.CHAMPION}")
    before = _before(client, present)
    if before is None:
        raise LookupError(
            f"{name} version {present.version} took nobody's place: name the version to promote; {registry.what_there_is(client, name)}"
        )
    _require_loadable(before)
    client.set_model_version_tag(name, str(present.version), WITHDRAWN, f"{now:%Y-%m-%d %H:%M} UTC: {reason}")
    registry.set_alias(client, name, registry.CHAMPION, before.version)
    return present, before


def _before(client: "MlflowClient", version: "ModelVersion") -> "ModelVersion | None":
    """The latest champion before this one that nobody has withdrawn; None if there is none."""
    known = {str(item.version): item for item in registry.versions(client, version.name)}
    seen, number = {str(version.version)}, version.tags.get(BEFORE)
    while number in known and number not in seen:
        found = known[number]
        if WITHDRAWN not in found.tags:
            return found
        seen.add(number)
        number = found.tags.get(BEFORE)
    return None


def _require_loadable(version: "ModelVersion") -> None:
    try:
        registry.load_served(f"models:/{version.name}/{version.version}")
    except Exception as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{version.name} version {version.version} cannot be loaded, nothing is changed: {why}") from error
