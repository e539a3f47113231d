"""The demo's training job: a new one, one that is at work, or one that has ended well."""

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import metrics_text
from modelyard.cli.watch import watch_job
from modelyard.local.demo import EPOCHS, MODEL, TEMPLATE
from modelyard.local.demo.phases import say
from modelyard.sdk import Client
from modelyard.sdk.errors import FailedPrecondition, NotFound, from_status
from modelyard.sdk.jobs import ENDED, State
from modelyard.sdk.names import short

_LABELS = {"demo": TEMPLATE}


def train(client: Client, dataset_version: str, *, fresh: bool) -> job_pb2.Job:
    """The job whose model shall be deployed. Raises the job's error if it has failed."""
    job = _found(client, dataset_version, fresh=fresh)
    if job is None:
        job = client.jobs.create(TEMPLATE, dataset_version, parameters={"epochs": EPOCHS}, model=MODEL, labels=_LABELS)
        say(f"{short(job.name)}: {TEMPLATE} on {short(dataset_version)}, {EPOCHS} epochs")
    elif job.state in ENDED:
        say(
            f"{short(job.model_version)} has been trained on {short(dataset_version)} already; reused "
            "(FRESH=1 trains again)"
        )
        return job
    else:
        say(f"{short(job.name)} is at work already; taken up")
    job = watch_job(client, job.name)
    if job.state != State.STATE_SUCCEEDED:
        raise _why(job)
    say(f"{short(job.model_version)}: {metrics_text(job.progress.metrics.items())}")
    return job


def _found(client: Client, dataset_version: str, *, fresh: bool) -> job_pb2.Job | None:
    """The newest of the demo's jobs on this data that is of use."""
    for job in client.jobs.list():
        if job.spec.dataset_version != dataset_version or dict(job.labels) != _LABELS:
            continue
        if job.spec.parameters["epochs"] != EPOCHS:
            continue
        if job.state not in ENDED and job.state != State.STATE_CANCELLING:
            return job
        if not fresh and job.state == State.STATE_SUCCEEDED and _is_ready(client, job.model_version):
            return job
    return None


def _is_ready(client: Client, model_version: str) -> bool:
    try:
        return client.models.version(model_version).state == model_pb2.ModelVersion.STATE_READY
    except NotFound:
        return False


def _why(job: job_pb2.Job) -> Exception:
    if job.HasField("error"):
        return from_status(job.error)
    state = State.Name(job.state).removeprefix("STATE_").lower()
    return FailedPrecondition(f"{short(job.name)} is {state}; run the demo again", reason="JOB_NOT_SUCCEEDED")
