"""Collects what an attempt prints and measures, and sends it in batches."""

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol

from modelyard.foundation.errors import ModelyardError
from modelyard.trainer.domain import Progress

log = logging.getLogger(__name__)

PERIOD_S = 0.5
BUSY_PERIOD_S = 0.1
MAX_LINES = 5_000
MAX_POINTS = 20_000
MAX_BATCH = 1_000
MAX_BATCH_CHARACTERS = 200_000
"""A report stays far below the 4 MiB of a message, whatever the script is that a line is written in."""
MAX_LINE_CHARACTERS = 4_000
MAX_TEXT_CHARACTERS = 1_000
"""At most 4 KiB, whatever the script is that it is written in."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that the job printed; `time` in seconds since 1970."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """A metric's value; `time` in seconds since 1970."""

    time: float
    step: int
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Report:
    """One batch, numbered from 1."""

    attempt: str
    sequence: int
    lines: tuple[LogLine, ...]
    points: tuple[Point, ...]
    progress: Progress
    running: bool
    """The first training step has begun."""
    start_step: int


class Reports(Protocol):
    """Where reports go."""

    async def report(self, report: Report) -> None:
        """Deliver it. Raises Unavailable when it should be tried again, AttemptStopped when the attempt is over, and
        any other ModelyardError when it is refused for good."""


class Unavailable(Exception):
    """The scheduler can't be reached now; the same is sent again later."""


class Reporter:
    """One attempt's reports: never blocks the job, never loses the newest, sends each exactly once."""

    def __init__(self, attempt: str, reports: Reports) -> None:
        self._attempt = attempt
        self._reports = reports
        self._lines: deque[LogLine] = deque()
        self._points: deque[Point] = deque()
        self._dropped = 0
        self._dirty = False
        self._sequence = 0
        self._unsent: Report | None = None
        self._sending = asyncio.Lock()
        self._urgent = asyncio.Event()
        self._delivered = True
        self.progress = Progress()
        self.running = False
        self.start_step = 0

    def line(self, text: str) -> None:
        """A line of the job's output; when nobody takes them the oldest are left out, and the log says so."""
        if len(self._lines) >= MAX_LINES:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append(LogLine(time.time(), text[:MAX_LINE_CHARACTERS]))

    def point(self, step: int, metric: str, value: float) -> None:
        """A metric's value."""
        if len(self._points) >= MAX_POINTS:
            self._points.popleft()
        self._points.append(Point(time.time(), step, metric, value))

    def text(self, name: str, text: str) -> None:
        """Something to be read beside the progress; the newest of each name, the newest name last."""
        text = text[:MAX_TEXT_CHARACTERS]
        self.progress.texts.pop(name, None)
        self.progress.texts[name] = text
        self.line(f"{name}: {text}")
        self.changed(urgent=True)

    def changed(self, *, urgent: bool = False) -> None:
        """`progress` has changed; `urgent`: somebody waits for it."""
        self._dirty = True
        if urgent:
            self._urgent.set()

    async def run(self) -> None:
        """Send what there is until cancelled: twice a second, in a flood of lines ten times, one report each time.

        Raises AttemptStopped when the attempt is over.
        """
        while True:
            try:
                async with asyncio.timeout(BUSY_PERIOD_S if self._has_many else PERIOD_S):
                    await self._urgent.wait()
            except TimeoutError:
                pass
            self._urgent.clear()
            await self._send_once()

    async def flush(self) -> None:
        """Send everything; raises Unavailable if that can't be done now, AttemptStopped when the attempt is over."""
        while self._has_some:
            await self._send()

    @property
    def _has_some(self) -> bool:
        return bool(self._unsent or self._lines or self._points or self._dirty)

    @property
    def _has_many(self) -> bool:
        return self._delivered and (len(self._lines) > MAX_BATCH or len(self._points) > MAX_BATCH)

    async def _send_once(self) -> None:
        if not self._has_some:
            return
        try:
            await self._send()
        except Unavailable as error:
            if self._delivered:
                log.warning("reports are not delivered", extra={"attempt": self._attempt, "error": str(error)})
            self._delivered = False
        else:
            self._delivered = True

    async def _send(self) -> None:
        async with self._sending:
            if not self._has_some:
                return  # somebody else has sent it meanwhile
            if self._unsent is None:
                self._sequence += 1
                self._unsent = self._take()
            try:
                await self._reports.report(self._unsent)
            except ModelyardError as error:
                log.error(
                    "a report was refused and is left out",
                    extra={"attempt": self._attempt, "sequence": self._unsent.sequence, "error": error.message},
                )
            self._unsent = None

    def _take(self) -> Report:
        lines = self._take_lines()
        points = [self._points.popleft() for _ in range(min(len(self._points), MAX_BATCH))]
        self._dirty = False
        shown = self.progress
        progress = replace(shown, metrics=dict(shown.metrics), texts=dict(shown.texts), images=dict(shown.images))
        return Report(
            self._attempt, self._sequence, tuple(lines), tuple(points), progress, self.running, self.start_step
        )

    def _take_lines(self) -> list[LogLine]:
        lines: list[LogLine] = []
        if self._dropped:
            lines.append(LogLine(time.time(), f"… {self._dropped} lines were left out"))
            self._dropped = 0
        characters = 0
        while self._lines and len(lines) < MAX_BATCH and characters < MAX_BATCH_CHARACTERS:
            lines.append(self._lines.popleft())
            characters += len(lines[-1].text)
        return lines
