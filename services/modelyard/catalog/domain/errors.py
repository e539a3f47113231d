"""Why the catalog says no; each reason is one class."""

from modelyard.foundation.errors import (
    AlreadyExists,
    Conflict,
    DataLoss,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)


def not_found(name: str, field: str = "") -> NotFound:
    """The one answer for a resource that is not there."""
    return NotFound(f"{name} does not exist", field=field, resource=name)


class NameTaken(AlreadyExists):
    reason = "NAME_TAKEN"


class EtagMismatch(Conflict):
    reason = "ETAG_MISMATCH"


class AliasMoved(Conflict):
    reason = "ALIAS_MOVED"


class StaleAttempt(Conflict):
    """A newer attempt of the same job has begun."""

    reason = "STALE_ATTEMPT"


class StillNeeded(FailedPrecondition):
    """Somebody holds what was to be deleted; `holders` names them."""

    reason = "STILL_NEEDED"


class NotAnInput(FailedPrecondition):
    """A job speaks of a version that its execution does not use."""

    reason = "NOT_AN_INPUT"


class PackageSpecWrong(FailedPrecondition):
    """The `template.toml` of a package can't be handed out."""

    reason = "PACKAGE_SPEC_WRONG"


class PackageKindDiffers(FailedPrecondition):
    """Code for a package of a model's files, or the other way round."""

    reason = "PACKAGE_KIND_DIFFERS"


class ExecutionEnded(FailedPrecondition):
    reason = "EXECUTION_ENDED"


class ExecutionOpen(FailedPrecondition):
    """A job whose files were to go still runs."""

    reason = "EXECUTION_OPEN"


class StatisticsPending(NotFound):
    """The job that profiles a dataset version has not ended."""

    reason = "STATISTICS_PENDING"


class StatisticsNotAvailable(NotFound):
    """The job that was to profile a dataset version has ended without them."""

    reason = "STATISTICS_NOT_AVAILABLE"


class UploadNotOpen(FailedPrecondition):
    reason = "UPLOAD_NOT_OPEN"


class PartsMissing(FailedPrecondition):
    reason = "PARTS_MISSING"


class HostNotAllowed(FailedPrecondition):
    """The caller reached the catalog under a name for which no URL may be signed."""

    reason = "HOST_NOT_ALLOWED"


class OnlyAttempts(PermissionDenied):
    """Models, checkpoints, outputs, evaluations and statistics come from jobs only."""

    reason = "ONLY_ATTEMPTS"


class RoleTooHigh(PermissionDenied):
    reason = "ROLE_TOO_HIGH"


class TooManyLabels(InvalidArgument):
    reason = "TOO_MANY_LABELS"


class TreeWrong(InvalidArgument):
    """The manifest of an upload is not one, or names what it must not."""

    reason = "TREE_WRONG"


class PackWrong(InvalidArgument):
    """The store holds something else for a pack than what was declared."""

    reason = "PACK_WRONG"


class ContentMismatch(InvalidArgument):
    """A file's bytes do not have the SHA-256 that the manifest claims."""

    reason = "CONTENT_MISMATCH"


class NoDescription(FailedPrecondition):
    reason = "DATASET_HAS_NO_DESCRIPTION"


class DescriptionWrong(FailedPrecondition):
    reason = "DATASET_DESCRIPTION_WRONG"


class TreeTooLarge(ResourceExhausted):
    reason = "TREE_TOO_LARGE"


class TooManyOutputs(ResourceExhausted):
    reason = "TOO_MANY_OUTPUTS"


class ObjectLost(DataLoss):
    """SQL knows an object that the store does not have."""

    reason = "OBJECT_LOST"


class CollectionBusy(Unavailable):
    """Garbage collection is at work on the very object; the next try finds it done."""

    reason = "COLLECTION_BUSY"


class CommitBroke(Internal):
    reason = "COMMIT_BROKE"
