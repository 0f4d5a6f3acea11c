"""CPU time and peak memory of processes and functions, and the row that reports a comparison."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

KIB_PER_MAXRSS = 1 / 1024 if sys.platform == "darwin" else 1
SHOWN_OUTPUT = 3000
"""Characters of a failed process's output."""


@dataclass(frozen=True, slots=True)
class Row:
    """Ours beside theirs, in `unit`. It holds if the results are the same and ours / theirs is at most `bar`; None is for information."""

    name: str
    ours: float
    theirs: float
    bar: float | None = None
    unit: str = "s"
    same: bool = True
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours / theirs; less is better."""
        return self.ours / self.theirs

    @property
    def verdict(self) -> str:
        """`ok`, or what is wrong."""
        if not self.same:
            return "DIFFERENT RESULTS"
        return "ok" if self.holds else "MISSED"

    @property
    def holds(self) -> bool:
        """Whether the bar is reached with the same results."""
        return self.same and (self.bar is None or self.ratio <= self.bar)

    def __str__(self) -> str:
        """One line of the table, the note below it."""
        bar = "" if self.bar is None else f"{self.bar:.3f}"
        ours, theirs = (f"{value:.2f} {self.unit}" for value in (self.ours, self.theirs))
        line = f"{self.name:<46}{ours:>14}{theirs:>14}{self.ratio:>9.3f}{bar:>8}  {self.verdict if bar or not self.same else '-'}"
        return f"{line}\n    {self.note}" if self.note else line


HEADER = f"{'name':<46}{'ours':>14}{'theirs':>14}{'ratio':>9}{'bar':>8}  ok"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children used."""

    cpu_seconds: float
    peak_mib: float
    """Largest resident memory of any one of them."""
    output: str
    """Standard output."""


def run_process(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Usage:
    """Runs a process in `folder` to its end. RuntimeError with the end of its output if it fails."""
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        with subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=errors) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read())
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{(texts[0] + texts[1])[-SHOWN_OUTPUT:]}")
    return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * KIB_PER_MAXRSS / 1024, texts[0])


def in_turn(ours: Callable[[], float], theirs: Callable[[], float], *, repeats: int) -> tuple[float, float]:
    """The median of what each measures. The two take turns, so that a busy machine slows both."""
    samples: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        samples[0].append(ours())
        samples[1].append(theirs())
    return statistics.median(samples[0]), statistics.median(samples[1])


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU seconds of this process while `run` runs, all threads together."""
    start = time.process_time()
    run()
    return time.process_time() - start
