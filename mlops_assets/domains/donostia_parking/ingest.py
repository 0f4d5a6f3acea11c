"""Reading the feed, landing what it gives, and the frames that are made of it. What must not be stored raises before it is.

A reading belongs to the hour in which it was captured. A feed without history cannot be asked for an hour that has passed: what was landed
in time is used, and the gap stays a gap.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.domains.donostia_parking.schema import validate_hourly, validate_parking, validate_readings
from mlops_assets.domains.donostia_parking.spec import CADENCE, DONOSTIA_PARKING
from mlops_assets.domains.donostia_parking.transforms import hourly_rows, parse_readings, reading_frame
from mlops_assets.hours import HOUR, hour_key, hour_of
from mlops_assets.partitions import window_of
from mlops_assets.resources.donostia_api import LATIN_1, DonostiaClient, NoHistoryError, Reading, text_of
from mlops_assets.resources.upstream import MalformedAnswerError, UpstreamError
from mlops_assets.storage.lake import Lake
from mlops_assets.storage.landing import Landed, Landing
from mlops_assets.storage.resource import FRAME_SUFFIX, LakeResource
from mlops_assets.storage.run_log import ReplacedMidRunError, RunLog
from mlops_assets.storage.stamp import Stamp

RAW_READINGS = f"{DONOSTIA_PARKING.name}/raw_readings"
KEPT = "What is stored stays as it was."
ONE_SECOND = timedelta(seconds=1)
"""What HTTP's dates count in."""
FIRST_HOURS = 28 * 24
"""Enough for every method, and ingested in a minute or two; more comes by a backfill, or with time."""
BLOCKED_IN_A_ROW = 3
"""So many hours of an archive that are no readings, one after the other: something else answers there."""
MARK_FORMAT = "%Y%m%dT%H%M%SZ"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Burst:
    """For how long a run reads on in the hour that is running, and how far apart its readings are. No length: one reading."""

    length: timedelta = timedelta(0)
    interval: timedelta = timedelta(seconds=15)


class ReadingLanding(Landing):
    """The landed readings of one lake, by hour; what must not be used is under `blocked_readings`. A name's mark is the server's time."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake, f"{DONOSTIA_PARKING.name}/readings", f"{DONOSTIA_PARKING.name}/blocked_readings")

    def land(self, reading: Reading) -> Landed:
        """Keeps a reading under its hour; the same time of capture is the same reading, and the first one stays."""
        hour, captured_at = hour_key(reading.captured_at), reading.captured_at
        for landed in self.answers(hour):
            if landed.received_at == captured_at:
                return landed
        mark = reading.server_date.strftime(MARK_FORMAT) if reading.server_date else ""
        return self.accept(hour, captured_at, reading.body, mark)

    def readings(self, hour: str) -> list[Landed]:
        """The landed readings of an hour in the order of capture, each time of capture once."""
        return list({landed.received_at: landed for landed in reversed(self.answers(hour))}.values())[::-1]


def collect(
    client: DonostiaClient, landing: ReadingLanding, hours: Sequence[str], burst: Burst, *, tell: Tell, warn: Tell
) -> dict[str, list[Landed]]:
    """Reads the feed for each hour, lands what it gives, and gives hour -> its landed readings, without the hours that have none.

    An archive that has nothing of an hour leaves a gap, and so does, in a range, a feed without history; `warn` is told. {} where all is
    gaps of an archive. Failure where nothing is landed of an hour because the feed is in trouble, or nothing of any hour and there is no
    archive. `tell` gets a line for each reading of the running hour.
    """
    collector = _Collector(client, landing, tell, warn)
    for hour in hours:
        collector.read(hour, burst)
    landed = {hour: readings for hour in hours if (readings := landing.readings(hour))}
    missing = {hour: problem for hour, problem in collector.problems.items() if hour not in landed}
    failed = {hour: problem for hour, problem in missing.items() if hour in collector.failed or not landed}
    if failed:
        hour, problem = next(iter(failed.items()))
        more = f" The same goes for {len(failed) - 1} more hours." if len(failed) > 1 else ""
        text = f"hour {hour}: {problem}{more} {KEPT}"
        raise dg.Failure(text, metadata={"hours": list(failed), "landed": list(landed)}, allow_retries=False)
    gaps = [hour for hour in hours if hour not in landed]
    if gaps and landed:
        causes = "; ".join(f"{problem} ({count})" for problem, count in Counter(missing.values()).items())
        warn(f"{len(gaps)} of {len(hours)} hours are gaps, {gaps[0]} the first{f': {causes}' if causes else ''}")
    return landed


def require_landed(stamps: Mapping[str, Stamp | None], landed: Mapping[str, Sequence[Landed]]) -> None:
    """Failure if a reading that an hour's stored frame was made of is landed no more: a rerun would lose its rows in silence."""
    for hour, stamp in stamps.items():
        there = {reading.key for reading in landed[hour]}
        if gone := [key for key in (stamp.note.get("readings", []) if stamp else []) if key not in there]:
            text = f"hour {hour}: {', '.join(gone)} is not in the lake any more; what is stored was made of it. Restore it. {KEPT}"
            raise dg.Failure(text, metadata={"gone": gone}, allow_retries=False)


def raw_hour(landing: ReadingLanding, hour: str, readings: Sequence[Landed]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """An hour's landed readings as its raw frame, and what is worth showing of them. Failure if an object is none of its readings."""
    rows, encodings = [], []
    for landed in readings:
        text, encoding = text_of(landing.read(landed))
        rows.append((landed.name, landed.received_at, _server_date(landed), text))
        encodings.append(encoding)
    try:
        frame = reading_frame(rows)
        validate_readings(frame, hour)
    except (ValueError, KeyError, TypeError) as error:
        places = ", ".join(landed.key for landed in readings)
        raise dg.Failure(f"hour {hour}: {error}. Its readings in the lake are {places}. {KEPT}", allow_retries=False) from None
    shown: dict[str, Any] = {"readings": len(frame), "latin_1_readings": encodings.count(LATIN_1)}
    skews = (frame["server_date"] - frame["captured_at"]).abs().dropna()
    return frame, shown | ({"largest_clock_skew_seconds": round(skews.max().total_seconds(), 1)} if len(skews) else {})


def parking_hour(readings: pd.DataFrame, hour: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """An hour's readings as rows of the table of car parks, and their counts."""
    parkings, rejected = parse_readings(readings, hour_of(hour))
    validate_parking(parkings, hour)
    counts = {"negative": int((parkings["free"] < 0).sum()), "without_a_count": int(parkings["free"].isna().sum())}
    return parkings, {"readings": len(readings), "rejected": len(rejected), **counts}


def rejected_hour(readings: pd.DataFrame, hour: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The features of an hour's readings that are no car parks, and their counts by reason."""
    rejected = parse_readings(readings, hour_of(hour))[1]
    return rejected, {str(reason): int(count) for reason, count in rejected["reason"].value_counts().items()}


def enriched_hour(parkings: pd.DataFrame, hour: str) -> pd.DataFrame:
    """An hour's car parks, each once, and the city."""
    rows = hourly_rows(parkings)
    validate_hourly(rows, hour)
    return rows


def require_whole(run_id: str, lake: LakeResource, hours: Sequence[str]) -> None:
    """Failure if an hour is not made of all readings that have landed: another run of it has landed one, or replaced its raw frame."""
    landing, log = ReadingLanding(lake.lake), RunLog.of(run_id)
    for hour in hours:
        stamp = lake.stamp(RAW_READINGS, hour)
        try:
            log.require_own(f"{RAW_READINGS}/{hour}{FRAME_SUFFIX}", stamp.data_version if stamp else "")
            whole = stamp is not None and stamp.note.get("readings") == [reading.key for reading in landing.readings(hour)]
        except ReplacedMidRunError:
            whole = False
        if not whole:
            text = f"hour {hour}: another run has landed a reading meanwhile. It is kept: run this hour again to merge it."
            raise dg.Failure(text, metadata={"hour": hour}, allow_retries=False)


def partitions_to_ingest(resources: Mapping[str, Any], last: str | None) -> list[str]:
    """What a run of the whole system ingests: the 28 days that end with `last`, or with the newest hour that has ended.

    Where the upstream keeps no history, and `last` does not say otherwise, the running hour: the only one that can be read. UpstreamError
    if it does not answer, ValueError if there is no such hour.
    """
    with resources["donostia_api"].client() as client:
        newest = client.now() - HOUR
        if last is not None:
            return window_of(CADENCE, last)[-FIRST_HOURS:]
        try:
            client.reading(_end_of(hour_key(newest)))
        except NoHistoryError:
            return [hour_key(client.now())]
    return window_of(CADENCE, hour_key(newest))[-FIRST_HOURS:]


class _Collector:
    """Reads hours one after the other, and keeps why it got nothing: `problems` by hour, those in `failed` for no good reason."""

    def __init__(self, client: DonostiaClient, landing: ReadingLanding, tell: Tell, warn: Tell) -> None:
        self._client = client
        self._landing = landing
        self._tell = tell
        self._warn = warn
        self._over: tuple[str, bool] | None = None
        """Why the past is asked for no more, and whether that is a failure."""
        self._blocked = 0
        self.problems: dict[str, str] = {}
        self.failed: set[str] = set()

    def read(self, hour: str, burst: Burst) -> None:
        """Lands what there is of an hour: the archive's last state of one that has ended, or readings of now."""
        running = hour_key(self._client.now())
        if hour < running:
            self._read_past(hour)
        elif hour == running:
            self._read_on(hour, burst)
        else:
            self._fail(hour, f"it has not begun; it is {self._client.now():%Y-%m-%d %H:%M} UTC.")

    def _read_past(self, hour: str) -> None:
        if self._over is None:
            try:
                reading = self._client.reading(_end_of(hour))
            except NoHistoryError as error:
                self._over = f"the hour has passed. {error} The gap stays.", False
            except MalformedAnswerError as error:
                self._blocked += 1
                self._block(hour, error)
                if self._blocked < BLOCKED_IN_A_ROW:
                    return
                self._over = self.problems[hour], True
            except UpstreamError as error:
                self._over = str(error), True
            else:
                self._blocked = 0
                if reading is not None and hour_key(reading.captured_at) == hour:
                    self._landing.land(reading)
                return
        problem, is_failure = self._over
        self.problems[hour] = problem
        if is_failure:
            self.failed.add(hour)

    def _read_on(self, hour: str, burst: Burst) -> None:
        start = self._client.now()
        end = min(start + burst.length, hour_of(hour) + HOUR)
        planned = max(1, -(-(end - start) // burst.interval))
        for number, due in enumerate(_due(start, end, burst.interval), start=1):
            pause = (due - self._client.now()).total_seconds()
            if pause > 0:
                self._client.sleep(pause)
            if number > 1 and self._client.now() >= end:
                return
            self._read_once(hour, f"reading {number} of {planned}")

    def _read_once(self, hour: str, which: str) -> None:
        try:
            reading = self._client.reading()
        except MalformedAnswerError as error:
            self._block(hour, error)
        except UpstreamError as error:
            self._fail(hour, str(error))
        else:
            if reading is None:
                return
            landed = self._landing.land(reading)
            self._tell(f"{which}: {reading.features} car parks at {reading.captured_at:%H:%M:%S} UTC")
            if landed.partition != hour:
                at = f"{reading.captured_at:%Y-%m-%d %H:%M:%S} UTC"
                self._fail(hour, f"the reading was captured at {at} and is kept under {landed.partition}.")
            return
        self._warn(f"{which}: {self.problems[hour]}")

    def _block(self, hour: str, error: MalformedAnswerError) -> None:
        place = self._landing.block(hour, error.received_at, error.body)
        self.problems[hour] = f"{error} The answer is kept at {place}."

    def _fail(self, hour: str, problem: str) -> None:
        self.problems[hour] = problem
        self.failed.add(hour)


def _due(start: datetime, end: datetime, interval: timedelta) -> Iterator[datetime]:
    """The times of a burst's readings: `start`, and then every `interval` before `end`."""
    yield start
    while (start := start + interval) < end:
        yield start


def _end_of(hour: str) -> datetime:
    return hour_of(hour) + HOUR - ONE_SECOND


def _server_date(landed: Landed) -> datetime | None:
    return datetime.strptime(landed.mark, MARK_FORMAT).replace(tzinfo=UTC) if landed.mark else None
