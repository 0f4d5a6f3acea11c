"""CPU time of two ways to the same result, measured in one run, and the line that reports them."""

import statistics
import time
from collections.abc import Callable


def cpu_seconds(ours: Callable[[], object], theirs: Callable[[], object], *, repeats: int) -> tuple[float, float]:
    """Median CPU seconds of each, all threads together; the two run in turn, so that a busy machine slows both."""
    samples: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for run, seconds in zip((ours, theirs), samples, strict=True):
            start = time.process_time()
            run()
            seconds.append(time.process_time() - start)
    return statistics.median(samples[0]), statistics.median(samples[1])


def report(name: str, ours: float, theirs: float, *, bar: float, same: bool) -> int:
    """Print `name  ours  theirs  ratio  bar  ok`; the exit code, 1 when results differ or the ratio is below the bar."""
    ratio = theirs / ours
    verdict = "ok" if same and ratio >= bar else "DIFFERENT RESULTS" if not same else "TOO SLOW"
    print(f"{'name':<24}{'ours':>10}{'theirs':>10}{'ratio':>9}{'bar':>7}  ok")
    print(f"{name:<24}{ours:>9.3f}s{theirs:>9.3f}s{ratio:>8.1f}x{bar:>6.0f}x  {verdict}")
    return 0 if verdict == "ok" else 1
