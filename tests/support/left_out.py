"""Pytest plugin of `make test`: says last which tests were left out, and why.

With MODELYARD_REQUIRE_ALL=1 (CI) a test that is left out fails, unless its reason starts with "no hardware:", which no
installation could mend.
"""

import os
from collections.abc import Generator

import pytest

UNMENDABLE = "no hardware:"


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    reason = _reason(report) if report.skipped and not hasattr(report, "wasxfail") else UNMENDABLE
    if os.environ.get("MODELYARD_REQUIRE_ALL") == "1" and not reason.startswith(UNMENDABLE):
        report.outcome = "failed"
        report.longrepr = f"left out although MODELYARD_REQUIRE_ALL=1 wants every test: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    left_out: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        left_out[_reason(report)] = left_out.get(_reason(report), 0) + 1
    if left_out:
        terminalreporter.section("left out here")
        for reason, count in sorted(left_out.items()):
            terminalreporter.write_line(f"{count:4} {'tests' if count > 1 else 'test'}: {reason}")
