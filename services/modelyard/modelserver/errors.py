"""What the server refuses. Messages in double quotes and colons are TensorFlow Serving's own where it has one."""

from modelyard.foundation.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)


class UsageError(Exception):
    """A command line or a file named on it that cannot be used; exit code 2."""


class CannotServe(Exception):
    """The model cannot be served as asked, and starting again will not help; exit code 3."""


class AddressInUse(Exception):
    """Somebody else listens there; exit code 4."""


class InvalidRequest(InvalidArgument):
    reason = "INVALID_PREDICT_REQUEST"


class RequestTooLarge(ResourceExhausted):
    reason = "REQUEST_TOO_LARGE"


class ServableNotFound(NotFound):
    reason = "SERVABLE_NOT_FOUND"


class SignatureNotFound(FailedPrecondition):
    reason = "SIGNATURE_NOT_FOUND"


class ModelConfigRefused(InvalidArgument):
    reason = "MODEL_CONFIG_REFUSED"


class LabelNotAssignable(FailedPrecondition):
    reason = "VERSION_LABEL_NOT_ASSIGNABLE"


class ModelNotLoaded(Internal):
    reason = "MODEL_NOT_LOADED"


class ModelFailed(Internal):
    reason = "MODEL_FAILED"


class ModelLoading(Unavailable):
    reason = "MODEL_LOADING"


class QueueFull(Unavailable):
    reason = "BATCHING_QUEUE_FULL"


class Draining(Unavailable):
    reason = "MODEL_SERVER_DRAINING"


class NotOffered(Unimplemented):
    reason = "NOT_OFFERED"
