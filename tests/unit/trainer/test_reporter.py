"""An attempt's reports: never blocking, never losing the newest, each exactly once."""

from modelyard.trainer.reporter import MAX_LINES, Report, Reporter, Unavailable

ATTEMPT = "projects/default/jobs/j/attempts/1"


class Scheduler:
    """Takes reports; fails as often as it is told to, after having taken or not taken the report."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.received: list[Report] = []

    async def report(self, report: Report) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("down")
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
