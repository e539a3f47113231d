"""Progress bars on a terminal; a line now and then elsewhere is up to the caller."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from modelyard.sdk.progress import Progress as Callback
from modelyard.sdk.progress import silent

_STAGES = {
    "downloading": "downloading",
    "making": "making",
    "hashing": "reading",
    "sending": "sending",
    "verifying": "verifying",
    "fetching": "fetching",
}


@contextmanager
def byte_bars(*, quiet: bool) -> Iterator[Callback]:
    """A bar for each stage: percent, bytes, speed, time left. Silent where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, object] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(_STAGES.get(stage, stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield show


@contextmanager
def counting(verb: str, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Counts up, with the rate; silent where nobody looks, and where what is counted goes by on the same terminal."""
    if quiet or not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda: None
        return
    columns = (TextColumn("{task.completed:,} " + verb), TextColumn("{task.fields[rate]}"), TimeElapsedColumn())
    # What is counted goes to stdout, past the terminal.
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as bars:
        task = bars.add_task(verb, total=None, rate="")

        def count() -> None:
            speed = bars.tasks[0].speed
            bars.update(task, advance=1, rate=f"{speed:,.0f}/s" if speed else "")

        yield count
