"""Asking the batch API, landing its answers, and the frames that are made of them. What must not be stored raises before it is."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.domains.forest_cover.landing import UNKNOWN, Landing, next_turn
from mlops_assets.domains.forest_cover.schema import rejection, validate_enriched, validate_raw, validate_samples
from mlops_assets.domains.forest_cover.spec import CADENCE
from mlops_assets.domains.forest_cover.transforms import ForestEnricher, parse_answer, parse_batch, raw_batch_frame
from mlops_assets.partitions import batch_key, partitions_of, window_of
from mlops_assets.resources.forest_api import Answer, Collected, ForestApiClient
from mlops_assets.resources.upstream import MalformedAnswerError, UpstreamError
from mlops_assets.settings import Settings
from mlops_assets.storage.landing import Landed, distinct

KEPT = "What is stored stays as it was."


def collect(client: ForestApiClient, landing: Landing, batches: Sequence[str], note: Callable[[str], None]) -> dict[str, list[Landed]]:
    """Asks the API once for each batch and lands what it gives; then batch -> all its landed answers, in the order of receipt.

    The API decides which batch it hands out, so each answer is kept under the batch it names. {} when the API has handed out everything
    and none of the batches is there. Failure when an answer must not be used, or when a batch has no answer in the end. `note` is told
    of an answer of another batch than was asked for.
    """
    came: list[str] = []
    ended = False
    for batch in batches:
        answer = _ask(client, landing, batch)
        if isinstance(answer, Collected):
            landing.end(answer.detail)
            ended = True
            break
        came.append(_land(landing, answer).partition)
        if came[-1] != batch:
            note(f"asked for batch {batch}, but the API hands out {came[-1]} now: its answer is kept; materialize {came[-1]} to merge it")
    landed = {batch: landing.answers(batch) for batch in batches}
    absent = [batch for batch in batches if not landed[batch]]
    if ended and len(absent) == len(batches):
        return {}
    if absent:
        raise dg.Failure(_absence(absent, came, ended), metadata={"asked": list(batches), "came": came}, allow_retries=False)
    return landed


def raw_batch(landing: Landing, batch: str, answers: Sequence[Landed]) -> pd.DataFrame:
    """A batch's landed answers as its raw frame, equal ones once; Failure if a stored object is none of the batch's answers."""
    try:
        frame = raw_batch_frame((answer.key, answer.received_at, landing.read(answer)) for answer in distinct(answers))
        validate_raw(frame, batch)
    except (ValueError, KeyError) as error:
        places = ", ".join(answer.key for answer in answers)
        raise dg.Failure(f"batch {batch}: {error}. Its answers in the lake are {places}. {KEPT}", allow_retries=False) from None
    return frame


def batch_samples(answers: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """A raw batch's samples, each once, and the counts of what became of the rows served."""
    samples, rejected = parse_batch(answers)
    validate_samples(samples)
    served = int(answers["rows"].sum())
    counts = {"rows_served": served, "rejected": len(rejected), "duplicates": served - len(rejected) - len(samples)}
    return samples, {"answers": len(answers), **counts}


def enriched_batch(samples: pd.DataFrame, enricher: ForestEnricher) -> pd.DataFrame:
    """The table's rows of one batch with their terrain features, ordered by sample_id."""
    integers = dict.fromkeys(("cover_type", "first_seen_batch"), "int64")
    enriched = enricher.transform(samples.astype(integers).sort_values("sample_id", ignore_index=True))
    validate_enriched(enriched)
    return enriched


def partitions_to_ingest(resources: Mapping[str, Any], last: str | None) -> list[str]:
    """What a run of the whole system ingests, the batch to train being the last: `last`, or the one that the API hands out now.

    Where every call gets the next batch (FOREST_BATCH_SECONDS is 0), all batches up to it. ValueError if there is no batch `last`.
    """
    seconds = Settings().forest_batch_seconds
    if not seconds:
        return window_of(CADENCE, last or batch_key(CADENCE.count))
    if last is not None:
        return window_of(CADENCE, last)[-1:]
    landing = Landing(resources["lake"].lake)
    turn = next_turn([answer for answers in landing.by_partition().values() for answer in answers], seconds)
    return [turn.due if turn.current is None or datetime.now(UTC) >= turn.at else turn.current]


def _ask(client: ForestApiClient, landing: Landing, batch: str) -> Answer | Collected:
    try:
        return client.fetch()
    except MalformedAnswerError as error:
        place = landing.block(UNKNOWN, error.received_at, error.body)
        raise dg.Failure(f"batch {batch}: {error} The answer is kept at {place}. {KEPT}", allow_retries=False) from None
    except UpstreamError as error:
        raise dg.Failure(f"batch {batch}: {error} {KEPT}", allow_retries=False) from None


def _land(landing: Landing, answer: Answer) -> Landed:
    """Keeps an answer under the batch it names; Failure, with counts, if it must not be used."""
    batch = batch_key(answer.batch_number)
    if batch not in partitions_of(CADENCE).get_partition_keys():
        place = landing.block(UNKNOWN, answer.received_at, answer.body)
        raise dg.Failure(
            f"batch {answer.batch_number}: there are batches 1 to {CADENCE.count} only. The answer is blocked and kept at {place}. {KEPT}",
            allow_retries=False,
        )
    _, rejected = parse_answer(answer.body.decode())
    problem = rejection(answer.rows, rejected)
    if problem is None:
        return landing.accept(batch, answer.received_at, answer.body)
    place = landing.block(batch, answer.received_at, answer.body)
    counts = {str(reason): int(count) for reason, count in rejected["reason"].value_counts().items()}
    raise dg.Failure(
        f"batch {batch}: {problem}. The answer is blocked and kept at {place}. {KEPT}",
        metadata={"rows": answer.rows, "unusable": len(rejected), **counts},
        allow_retries=False,
    )


def _absence(absent: Sequence[str], came: Sequence[str], ended: bool) -> str:
    batches = ", ".join(absent)
    if ended:
        return f"the API has handed out everything, and of {batches} nothing is stored: leave them out of the range. {KEPT}"
    other = ", ".join(sorted(set(came)))
    return f"asked for {batches}, but the API hands out {other} now: its answer is kept, materialize {other} to merge it. {KEPT}"
