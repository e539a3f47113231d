"""The demo's training job: a new one, one that is at work, or one that has ended well."""

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import metrics_text
from modelyard.cli.watch import watch_job
from modelyard.local.demo import EPOCHS, MODEL, TEMPLATE
from modelyard.local.demo.phases import say
from modelyard.local.jobs import failure, found
from modelyard.sdk import Client
from modelyard.sdk.errors import NotFound
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
        raise failure(job, "make demo")
    say(f"{short(job.model_version)}: {metrics_text(job.progress.metrics.items())}")
    return job


def _found(client: Client, dataset_version: str, *, fresh: bool) -> job_pb2.Job | None:
    """The newest of the demo's jobs on this data that is of use."""

    def fits(job: job_pb2.Job) -> bool:
        same = job.spec.dataset_version == dataset_version and dict(job.labels) == _LABELS
        return same and bool(job.spec.parameters["epochs"] == EPOCHS)

    return found(client, fits, lambda job: not fresh and _is_ready(client, job.model_version))


def _is_ready(client: Client, model_version: str) -> bool:
    try:
        return client.models.version(model_version).state == model_pb2.ModelVersion.STATE_READY
    except NotFound:
        return False
