"""What the proxy refuses, each with its reason."""

from modelyard.foundation.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)


class UnknownMethod(Unimplemented):
    reason = "NO_SUCH_METHOD"


class ConfigIsManaged(PermissionDenied):
    reason = "MODEL_CONFIG_IS_MANAGED"


class NotAllowed(PermissionDenied):
    reason = "PREDICTION_NOT_ALLOWED"


class BadRequest(InvalidArgument):
    reason = "INVALID_PREDICT_REQUEST"


class BadFraming(InvalidArgument):
    reason = "INVALID_GRPC_FRAMING"


class EncodingUnknown(Unimplemented):
    reason = "MESSAGE_ENCODING_NOT_SUPPORTED"


class RequestTooLarge(ResourceExhausted):
    reason = "REQUEST_TOO_LARGE"


class AnswerTooLarge(ResourceExhausted):
    reason = "ANSWER_TOO_LARGE"


class Overloaded(ResourceExhausted):
    reason = "TOO_MANY_PREDICTIONS"


class DeploymentNotFound(NotFound):
    reason = "DEPLOYMENT_NOT_FOUND"


class VersionNotServed(NotFound):
    reason = "VERSION_NOT_SERVED"


class LabelNotServed(NotFound):
    reason = "VERSION_LABEL_NOT_SERVED"


class NothingServes(Unavailable):
    reason = "NOTHING_SERVES"


class RoutesUnknown(Unavailable):
    reason = "ROUTES_UNKNOWN"


class BackendLost(Unavailable):
    reason = "MODEL_SERVER_LOST"


class TooLate(DeadlineExceeded):
    reason = "DEADLINE_EXCEEDED"


class CannotStart(FailedPrecondition):
    reason = "CANNOT_START"


class SignatureNotFound(FailedPrecondition):
    reason = "SIGNATURE_NOT_FOUND"


class BadAnswer(Internal):
    reason = "BAD_MODEL_SERVER_ANSWER"
