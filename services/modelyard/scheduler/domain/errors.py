"""Why the scheduler says no; each reason is one class."""

from modelyard.foundation.errors import AlreadyExists, Conflict, FailedPrecondition, NotFound


def job_not_found(name: str) -> NotFound:
    return NotFound(f"{name} does not exist", field="name", resource=name)


def worker_not_found(name: str) -> NotFound:
    return NotFound(f"{name} does not exist; see `modelyard workers`", field="name", resource=name)


class JobEnded(FailedPrecondition):
    reason = "JOB_ENDED"


class JobNotEnded(FailedPrecondition):
    reason = "JOB_NOT_ENDED"


class JobExists(AlreadyExists):
    reason = "JOB_EXISTS"


class DatasetDoesNotFit(FailedPrecondition):
    reason = "DATASET_DOES_NOT_FIT"


class ModelVersionNotReady(FailedPrecondition):
    reason = "MODEL_VERSION_NOT_READY"


class StaleAttempt(Conflict):
    """The attempt has ended, or was replaced by a newer one: nothing that it says counts."""

    reason = "STALE_ATTEMPT"


class WorkerReplaced(Conflict):
    """A newer process serves under the same worker name: this one must stop."""

    reason = "WORKER_REPLACED"


def stale(attempt: str) -> StaleAttempt:
    return StaleAttempt(f"{attempt} is over; stop it and store nothing for it", resource=attempt)
