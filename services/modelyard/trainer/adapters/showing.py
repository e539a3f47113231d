"""What an attempt fetches for its job: where it goes, and how it shows in the job's progress."""

import asyncio
import shutil
import time
from pathlib import Path

from modelyard.sdk.progress import Progress
from modelyard.trainer.reporter import Reporter

_SHOW_EVERY_S = 0.2


def show_stage(reporter: Reporter, stage: str) -> None:
    """It begins."""
    reporter.progress.stage = stage
    reporter.progress.done_bytes = reporter.progress.total_bytes = 0
    reporter.changed()


def bytes_to(reporter: Reporter) -> Progress:
    """A progress callback for worker threads."""
    loop = asyncio.get_running_loop()
    shown_at = 0.0

    def show(stage: str, done: int, total: int) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if stage not in ("fetching", "verifying", "sending") or (now - shown_at < _SHOW_EVERY_S and done < total):
            return
        shown_at = now
        reporter.progress.done_bytes, reporter.progress.total_bytes = done, total
        if stage == "fetching":
            reporter.progress.stage = stage
        loop.call_soon_threadsafe(reporter.changed)

    return show


def emptied(folder: Path) -> Path:
    """The folder, there and empty: what an earlier try left is no part of the next one."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
