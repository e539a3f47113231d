"""Statistics of dataset versions: what a profile job found, and which job that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelyard.catalog.domain.errors import StatisticsNotAvailable, StatisticsPending
from modelyard.catalog.domain.executions import Execution, ExecutionState
from modelyard.catalog.domain.names import JobName, VersionName

MAX_BYTES = 3 << 20
"""Of the message; clients take four where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Statistics:
    dataset: VersionName
    """Resolved."""
    job: JobName
    found: Mapping[str, Any]
    """What was counted, as JSON has the message; without what is in the other fields here."""
    report: str
    """The name of the job's output that has the page; "" if there is none."""
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Profiling:
    """What is known of the profile of a version."""

    job: str
    """Which profiles it; "" while none was made."""
    statistics: Statistics | None


def missing(version: VersionName, job: str, execution: Execution | None) -> StatisticsPending | StatisticsNotAvailable:
    """Why a version has no statistics; `execution` is that of the job that profiles it."""
    if not job:
        return StatisticsPending(
            f"{version} has no statistics yet: the job that profiles it has not been made", resource=str(version)
        )
    if execution is None or execution.state is ExecutionState.OPEN:
        return StatisticsPending(
            f"{version} has no statistics yet: {job} has not ended", resource=str(version), job=job
        )
    why = f": {execution.message}" if execution.message else ""
    ended = {ExecutionState.FAILED: "failed", ExecutionState.CANCELLED: "was cancelled"}.get(execution.state, "ended")
    return StatisticsNotAvailable(
        f"{version} has no statistics: {job} {ended}{why}", resource=str(version), job=job, state=execution.state
    )
