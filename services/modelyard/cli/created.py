"""A job that was created and is not followed."""

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import console, print_json, to_json
from modelyard.sdk.names import short


def show_created(job: job_pb2.Job, *, validate_only: bool = False, as_json: bool) -> None:
    """How to follow it."""
    if as_json:
        print_json(to_json(job))
    elif validate_only:
        console().print("it would be accepted; no job was created")
    else:
        console().print(f"{short(job.name)} is queued; follow it: modelyard jobs watch {short(job.name)}")
