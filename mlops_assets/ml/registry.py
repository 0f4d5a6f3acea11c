"""The model registry: register a logged model with its provenance, name it by alias, find it again, load it. MLflow client in, version out.

Lineage and serving share this module. It knows MLflow and models, and nothing of orchestration. Only `logged_model`, which puts models
where this one finds them, and `pyfunc.py`, which MLflow itself runs, import mlflow as well.
"""

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

# MLflow reads these at import: no telemetry, nothing printed on a terminal. What is set already stays, but nobody may allow pickles.
os.environ.update(
    {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        **os.environ,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
)

import mlflow
from filelock import FileLock
from mlflow import MlflowClient, MlflowException
from mlflow.entities.model_registry import ModelVersion

from mlops_assets.ml.provenance import MOST_TAGS, PartitionRange, Provenance, digest_of, range_tag, upstream_tag

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

logger = logging.getLogger(__name__)

for _logger in ("mlflow", "alembic"):
    logging.getLogger(_logger).setLevel(logging.WARNING)

CHAMPION = "champion"
CHALLENGER = "challenger"

ARTIFACTS = "artifacts"
"""Where MLflow puts a Python model's files."""
RANGES = "lineage"
"""Where a run keeps the ranges that its versions were made from, `lineage/<digest>.json`: partition -> data version."""

SQLITE = "sqlite:///"
PAGE = 1000


Lineage = dict[str, dict[str, str]]
"""Asset (`domain/stage`) -> partition -> data version."""


class LineageError(LookupError):
    """The partitions that a version was made from cannot be read."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A registered version and the way back from it to the raw partitions."""

    name: str
    version: int
    aliases: tuple[str, ...]
    run_id: str
    """The MLflow run that logged the model."""
    provenance: Provenance
    created_at: datetime
    """When it was registered, UTC: the end of its training."""


def connect(tracking_uri: str) -> MlflowClient:
    """A client of the tracking server and registry at `tracking_uri`, which becomes the process's default.

    For a SQLite file the folder is made, and on first use the database; MLflow guards that neither against a second process nor
    against a kill half-way, so the database is made beside its place and moved there when it is whole.
    """
    if tracking_uri.startswith(SQLITE):
        database = Path(tracking_uri.removeprefix(SQLITE))
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{database}.lock"), _imports_of_mlflow():
            if not database.exists():
                _make_database(database)
    mlflow.set_tracking_uri(tracking_uri)
    with _imports_of_mlflow():
        return MlflowClient(tracking_uri)


def _make_database(database: Path) -> None:
    from mlflow.store.db.utils import _initialize_tables
    from sqlalchemy import create_engine

    unfinished = database.with_name(f"{database.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    engine = create_engine(f"{SQLITE}{unfinished}")
    _initialize_tables(engine)  # type: ignore[no-untyped-call]  # mlflow does not annotate it
    engine.dispose()
    unfinished.replace(database)


def create_experiment(client: MlflowClient, name: str, artifact_location: str | None) -> None:
    """Makes the experiment unless it is there; `artifact_location` is a URI, None leaves it to the server."""
    if client.get_experiment_by_name(name) is None:
        # Without the tag MLflow's UI takes the experiment for one of language models.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        _unless_it_exists(lambda: client.create_experiment(name, artifact_location=artifact_location, tags=tags))


def register(
    client: MlflowClient, name: str, model_uri: str, *, run_id: str, provenance: Provenance, description: str = ""
) -> ModelVersion:
    """A new version of `name`, which is made if it does not exist.

    Partitions that the tags name as a range only are first logged to the run one by one, so `lineage` finds them for every version.
    """
    for keys in provenance.upstream.values():
        if len(keys) > MOST_TAGS:
            client.log_dict(run_id, dict(keys), _range_file(digest_of(keys)))
    _unless_it_exists(lambda: client.create_registered_model(name, description=description))
    return client.create_model_version(
        name,
        source=model_uri,
        run_id=run_id,
        tags=provenance.to_tags(),
        description=description,
        model_id=model_uri.removeprefix("models:/") if model_uri.startswith("models:/m-") else None,
    )


def set_alias(client: MlflowClient, name: str, alias: str, version: int | str) -> None:
    """Moves `alias` to the version."""
    client.set_registered_model_alias(name, alias, str(version))


def by_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version that carries `alias`; None without such a model or alias."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def resolve(client: MlflowClient, reference: str) -> ModelVersion:
    """The version that `name@alias` or `name/3` names; a bare `name` means its champion.

    LookupError says what there is instead.
    """
    name, slash, number = reference.partition("/")
    name, at, alias = (name, "", "") if slash else reference.partition("@")
    if at and not alias:
        raise LookupError(f"no alias in {reference!r}; {what_there_is(client, name)}")
    if not slash:
        found = by_alias(client, name, alias or CHAMPION)
    else:
        found = next((item for item in versions(client, name) if str(item.version) == number), None)
    if found is None:
        raise LookupError(f"no model version {reference!r}; {what_there_is(client, name)}")
    return client.get_model_version(name, str(found.version))


def load(model_uri: str) -> "PyFuncModel":
    """The pyfunc model at `models:/name@alias`, `models:/name/3` or `models:/<model id>` of the process's default registry.

    That is MLflow's own way, which runs the Python that the version carries: for versions that this platform has registered. The platform
    itself loads a version by the two functions below, which read data.
    """
    model: PyFuncModel = pyfunc().load_model(model_uri)
    return model


def load_served(model_uri: str) -> Any:
    """What was logged, with the estimator that was fitted: a `ServedModel` or, of a system that forecasts, a `ForecastModel`."""
    from mlops_assets.ml.model_files import CLASSIFIER

    return _from_files(model_uri, leave_out={CLASSIFIER})


def load_for_serving(model_uri: str) -> Any:
    """The same, its estimator run by ONNX Runtime where that was attached when it was registered.

    Then the estimator that was fitted is not read at all.
    """
    return _from_files(model_uri, leave_out=set())


def _from_files(model_uri: str, leave_out: set[str]) -> Any:
    """Reads the version's artifacts as data: nothing that it carries as code is run."""
    from mlops_assets.ml.model_files import from_model_files

    with _imports_of_mlflow():
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        store = get_artifact_repository(model_uri)
    names = {Path(item.path).name for item in store.list_artifacts(ARTIFACTS)} - leave_out
    with TemporaryDirectory() as into:

        def content(name: str) -> bytes:
            return Path(store.download_artifacts(f"{ARTIFACTS}/{name}", into)).read_bytes()  # type: ignore[no-untyped-call]

        return from_model_files(names, content)


def trace(client: MlflowClient, reference: str) -> Trace:
    """From a version back to its run, its code and every upstream partition. LookupError as `resolve`."""
    found = resolve(client, reference)
    return _trace(found, found.aliases)


def history(client: MlflowClient, name: str) -> list[Trace]:
    """Every version of `name`, newest first; none without such a model. One whose tags cannot be read has an empty provenance."""
    found = versions(client, name)
    aliases: dict[str, list[str]] = {}
    for alias, number in client.get_registered_model(name).aliases.items() if found else ():
        aliases.setdefault(str(number), []).append(alias)
    return [_trace(version, aliases.get(str(version.version), []), lenient=True) for version in reversed(found)]


def _trace(version: ModelVersion, aliases: Iterable[str], *, lenient: bool = False) -> Trace:
    try:
        provenance = Provenance.from_tags(version.tags)
    except (ValueError, TypeError) as error:
        if not lenient:
            raise ValueError(f"the tags of {version.name} version {version.version} cannot be read: {error}") from error
        logger.warning("the tags of %s version %s cannot be read: %s", version.name, version.version, error)
        provenance = Provenance.from_tags({})
    return Trace(
        name=version.name,
        version=int(version.version),
        aliases=tuple(sorted(aliases)),
        run_id=version.run_id or "",
        provenance=provenance,
        created_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
    )


def versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """Every version of `name`, oldest first."""
    return _search_versions(client, f"name = '{name}'")


def lineage(client: MlflowClient, found: Trace) -> Lineage:
    """Every upstream partition of the version and its data version. LineageError if a range cannot be read."""
    ranges = {asset: _partitions_in(client, found.run_id, one) for asset, one in found.provenance.ranges.items()}
    return {asset: dict(sorted(keys.items())) for asset, keys in sorted({**found.provenance.upstream, **ranges}.items())}


def versions_using(client: MlflowClient, asset: str, partition: str) -> list[ModelVersion]:
    """Every registered version, of any model, that was made from the partition of the asset (`domain/stage`); oldest first."""
    return [version for version, _ in uses_of(client, asset, partition)]


def uses_of(client: MlflowClient, asset: str, partition: str) -> list[tuple[ModelVersion, str]]:
    """The same, each with the data version that it was made from.

    A version whose range may hold the partition, but cannot be read one by one, is not left out: its data version is empty.
    """
    tag = upstream_tag(asset, partition)
    found = [(version, version.tags[tag]) for version in _search_versions(client, f"tags.`{tag}` LIKE '%'")]
    for version in _search_versions(client, f"tags.`{range_tag(asset)}` LIKE '%'"):
        data_version = _in_range(client, version, asset, partition)
        found += [(version, data_version)] if data_version is not None else []
    return sorted(found, key=lambda item: (item[0].creation_timestamp, item[0].name, int(item[0].version)))


def _in_range(client: MlflowClient, version: ModelVersion, asset: str, partition: str) -> str | None:
    """The partition's data version if the version's range has it, empty if that cannot be said, else None."""
    try:
        found = PartitionRange.from_text(version.tags[range_tag(asset)])
        return _partitions_in(client, version.run_id or "", found).get(partition) if found.spans(partition) else None
    except (LineageError, ValueError) as error:
        logger.warning("%s version %s may have used %s %s: %s", version.name, version.version, asset, partition, error)
        return ""


def _partitions_in(client: MlflowClient, run_id: str, found: PartitionRange) -> dict[str, str]:
    """Partition -> data version of the range. LineageError if the run does not have it, or not as it was stored."""
    file = _range_file(found.digest)
    try:
        with TemporaryDirectory() as into:
            keys: dict[str, str] = json.loads(Path(client.download_artifacts(run_id, file, into)).read_bytes())
        is_whole = digest_of(keys) == found.digest
    except (MlflowException, OSError, ValueError, TypeError) as error:
        raise LineageError(f"{file} of MLflow run {run_id or 'unknown'} cannot be read: {error}") from error
    if not is_whole:
        raise LineageError(f"{file} of MLflow run {run_id} is not what was stored")
    return keys


def _range_file(digest: str) -> str:
    return f"{RANGES}/{digest}.json"


def versions_with_fingerprint(client: MlflowClient, name: str, fingerprint: str) -> list[ModelVersion]:
    """The versions of `name` with that fingerprint, oldest first."""
    found = _search_versions(client, f"name = '{name}' AND tags.fingerprint = '{fingerprint}'")
    return sorted(found, key=lambda item: int(item.version))


def pyfunc() -> ModuleType:
    """`mlflow.pyfunc`, imported when it is needed: it takes seconds."""
    with _imports_of_mlflow():
        from mlflow.pyfunc import model  # noqa: F401  # loads what mlflow.pyfunc puts off
    return mlflow.pyfunc


@contextmanager
def _imports_of_mlflow() -> Iterator[None]:
    """For imports in which MLflow and what it uses warn of their own code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _unless_it_exists(create: Callable[[], Any]) -> None:
    """Another process may create the same at the same time."""
    try:
        create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _search_versions(client: MlflowClient, condition: str) -> list[ModelVersion]:
    return list(
        _pages(
            lambda token: client.search_model_versions(
                condition, max_results=PAGE, order_by=["creation_timestamp ASC", "name ASC", "version_number ASC"], page_token=token
            )
        )
    )


def _pages(search: Callable[[str | None], Any]) -> Iterator[Any]:
    """The items of all pages; the store may move while it is read, so each page is asked for by the token of the one before."""
    page = search(None)
    yield from page
    while page.token:
        page = search(page.token)
        yield from page


def what_there_is(client: MlflowClient, name: str) -> str:
    """The versions and aliases of `name`, or else the registered models, for messages."""
    models = {model.name: model for model in _pages(lambda token: client.search_registered_models(max_results=PAGE, page_token=token))}
    if name not in models:
        return f"registered models: {', '.join(sorted(models)) or 'none'}"
    numbers = ", ".join(str(item.version) for item in versions(client, name)) or "none"
    aliases = ", ".join(f"@{alias} = {number}" for alias, number in sorted(models[name].aliases.items())) or "none"
    return f"{name} has versions: {numbers}; aliases: {aliases}"
