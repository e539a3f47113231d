"""Jobs that are there already, for what may be interrupted and run again: the demo and the gallery."""

from collections.abc import Callable

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.sdk import Client
from modelyard.sdk.errors import FailedPrecondition, from_status
from modelyard.sdk.jobs import ENDED, State
from modelyard.sdk.names import short


def found(
    client: Client, fits: Callable[[job_pb2.Job], bool], is_of_use: Callable[[job_pb2.Job], bool]
) -> job_pb2.Job | None:
    """The newest job that fits and is at work, or has succeeded and is of use still."""
    for job in client.jobs.list():
        if not fits(job):
            continue
        if job.state not in ENDED and job.state != State.STATE_CANCELLING:
            return job
        if job.state == State.STATE_SUCCEEDED and is_of_use(job):
            return job
    return None


def failure(job: job_pb2.Job, again: str) -> Exception:
    """Why a job has not succeeded; `again` is the command to run once more."""
    if job.HasField("error"):
        return from_status(job.error)
    state = State.Name(job.state).removeprefix("STATE_").lower()
    return FailedPrecondition(f"{short(job.name)} is {state}; run `{again}` again", reason="JOB_NOT_SUCCEEDED")
