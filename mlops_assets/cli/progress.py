"""A progress bar for a Dagster run that this process executes, fed by the run's own event log."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    import dagster as dg

POLL_SECONDS = 0.4


@contextmanager
def progress_of(instance: "dg.DagsterInstance", run_id: str, title: str, steps: int, console: Console) -> Iterator[None]:
    """Shows the steps that have ended and the latest message of the run while the block executes it."""
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.fields[title]}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
    )
    done = threading.Event()
    with Progress(*columns, TimeElapsedColumn(), TextColumn("{task.description}"), console=console) as bar:
        task = bar.add_task("starting", total=steps, title=title)
        watcher = threading.Thread(target=_watch, args=(instance, run_id, bar, task, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            bar.update(task, description="")


def _watch(instance: "dg.DagsterInstance", run_id: str, bar: Progress, task: TaskID, done: threading.Event) -> None:
    cursor: str | None = None
    last_round = False
    while not last_round:
        last_round = done.wait(POLL_SECONDS)
        page = instance.get_records_for_run(run_id, cursor=cursor)
        cursor = page.cursor
        for record in page.records:
            entry = record.event_log_entry
            event = entry.dagster_event
            if event is None:
                bar.update(task, description=entry.user_message.splitlines()[0][:80])
            elif event.is_step_start:
                bar.update(task, description=str(event.step_key).replace("__", "/"))
            elif event.is_step_success or event.is_step_failure or event.is_step_skipped:
                bar.advance(task)
