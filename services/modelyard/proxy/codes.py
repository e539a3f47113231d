"""gRPC's codes by number and by kind of error; pure, so that the use case can name them."""

from modelyard.foundation.errors import Kind


def code_name(number: int) -> str:
    """The name of gRPC's number."""
    return _NUMBERED[number] if 0 <= number < len(_NUMBERED) else "UNKNOWN"


_NUMBERED = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
NAME_OF_KIND = {
    Kind.INVALID: "INVALID_ARGUMENT",
    Kind.NOT_FOUND: "NOT_FOUND",
    Kind.EXISTS: "ALREADY_EXISTS",
    Kind.PRECONDITION: "FAILED_PRECONDITION",
    Kind.CONFLICT: "ABORTED",
    Kind.DENIED: "PERMISSION_DENIED",
    Kind.UNAUTHENTICATED: "UNAUTHENTICATED",
    Kind.EXHAUSTED: "RESOURCE_EXHAUSTED",
    Kind.OUT_OF_RANGE: "OUT_OF_RANGE",
    Kind.UNAVAILABLE: "UNAVAILABLE",
    Kind.DEADLINE: "DEADLINE_EXCEEDED",
    Kind.DATA_LOSS: "DATA_LOSS",
    Kind.UNIMPLEMENTED: "UNIMPLEMENTED",
    Kind.INTERNAL: "INTERNAL",
}
