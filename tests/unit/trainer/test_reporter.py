"""An attempt's reports: never blocking, never losing the newest, each exactly once."""

import asyncio

import pytest

from modelyard.foundation.errors import InvalidArgument
from modelyard.trainer.domain import AttemptStopped
from modelyard.trainer.reporter import MAX_LINE_CHARACTERS, MAX_LINES, Report, Reporter, Unavailable
from tests.support.eventually import eventually

ATTEMPT = "projects/default/jobs/j/attempts/1"


class Scheduler:
    """Takes reports; fails as often as it is told to, after having taken or not taken the report."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.refuses: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.received: list[Report] = []

    async def report(self, report: Report) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("down")
        await self.open.wait()
        if self.refuses is not None:
            refusal, self.refuses = self.refuses, None
            raise refusal
        self.received.append(report)


async def test_lines_metrics_and_progress_arrive_in_order_and_numbered() -> None:
    scheduler = Scheduler()
    reporter = Reporter(ATTEMPT, scheduler)
    for number in range(2500):
        reporter.line(f"line {number}")
    reporter.point(7, "loss", 0.5)
    reporter.progress.step = 7
    reporter.changed()
    await reporter.flush()
    assert [report.sequence for report in scheduler.received] == [1, 2, 3]
    assert [line.text for report in scheduler.received for line in report.lines] == [f"line {n}" for n in range(2500)]
    assert scheduler.received[0].points[0].metric == "loss"
    assert scheduler.received[0].progress.step == 7


async def test_a_report_that_failed_is_sent_again_with_its_number() -> None:
    scheduler = Scheduler(failures=1)
    reporter = Reporter(ATTEMPT, scheduler)
    reporter.line("first")
    try:
        await reporter.flush()
    except Unavailable:
        reporter.line("second")
    await reporter.flush()
    assert [(report.sequence, [line.text for line in report.lines]) for report in scheduler.received] == [
        (1, ["first"]),
        (2, ["second"]),
    ]


async def test_when_nobody_takes_lines_the_oldest_go_and_the_log_says_so() -> None:
    scheduler = Scheduler()
    reporter = Reporter(ATTEMPT, scheduler)
    for number in range(MAX_LINES + 10):
        reporter.line(f"line {number}")
    await reporter.flush()
    lines = [line.text for report in scheduler.received for line in report.lines]
    assert lines[0] == "… 10 lines were left out"
    assert lines[1] == "line 10"
    assert lines[-1] == f"line {MAX_LINES + 9}"


async def test_progress_that_is_on_its_way_does_not_change_any_more() -> None:
    scheduler = Scheduler()
    reporter = Reporter(ATTEMPT, scheduler)
    reporter.progress.metrics["loss"] = 1.0
    reporter.changed()
    await reporter.flush()
    reporter.progress.metrics["loss"] = 0.1
    assert scheduler.received[0].progress.metrics == {"loss": 1.0}


async def test_a_report_of_long_lines_in_any_script_fits_a_message() -> None:
    scheduler = Scheduler()
    reporter = Reporter(ATTEMPT, scheduler)
    for _ in range(500):
        reporter.line("𝄞" * MAX_LINE_CHARACTERS)
    await reporter.flush()
    assert sum(len(report.lines) for report in scheduler.received) == 500
    assert max(sum(len(line.text.encode()) for line in report.lines) for report in scheduler.received) < 1 << 20


async def test_two_who_send_at_once_lose_nothing() -> None:
    scheduler = Scheduler()
    reporter = Reporter(ATTEMPT, scheduler)
    scheduler.open.clear()
    reporter.line("first")
    first = asyncio.create_task(reporter.flush())
    await asyncio.sleep(0)
    reporter.line("second")
    second = asyncio.create_task(reporter.flush())
    await asyncio.sleep(0)
    scheduler.open.set()
    await asyncio.gather(first, second)
    assert [(report.sequence, [line.text for line in report.lines]) for report in scheduler.received] == [
        (1, ["first"]),
        (2, ["second"]),
    ]


async def test_a_report_that_is_refused_is_left_out_and_holds_up_nothing() -> None:
    scheduler = Scheduler()
    reporter = Reporter(ATTEMPT, scheduler)
    scheduler.refuses = InvalidArgument("metrics[0]: no")
    reporter.line("poison")
    await reporter.flush()
    reporter.line("fine")
    await reporter.flush()
    assert [line.text for report in scheduler.received for line in report.lines] == ["fine"]


async def test_it_ends_when_the_attempt_is_over() -> None:
    scheduler = Scheduler()
    reporter = Reporter(ATTEMPT, scheduler)
    scheduler.refuses = AttemptStopped()
    reporter.changed(urgent=True)
    with pytest.raises(AttemptStopped):
        await asyncio.wait_for(reporter.run(), 5)


async def test_somebody_who_waits_for_news_gets_it_at_once() -> None:
    scheduler = Scheduler()
    reporter = Reporter(ATTEMPT, scheduler)
    running = asyncio.create_task(reporter.run())
    reporter.running = True
    reporter.changed(urgent=True)
    await eventually(lambda: any(report.running for report in scheduler.received), timeout_s=0.4)
    running.cancel()
    await asyncio.wait([running])
