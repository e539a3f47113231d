"""The errors a use case raises; nothing in here knows gRPC.

    ModelyardError
    ├── InvalidArgument     INVALID          bad in itself, whatever the state of the system
    ├── OutOfRange          OUT_OF_RANGE     past the end of what exists
    ├── NotFound            NOT_FOUND
    ├── AlreadyExists       EXISTS
    ├── FailedPrecondition  PRECONDITION     right request, wrong state
    ├── Conflict            CONFLICT         lost a compare-and-set: read again, then retry
    ├── PermissionDenied    DENIED
    ├── Unauthenticated     UNAUTHENTICATED
    ├── ResourceExhausted   EXHAUSTED        a quota or a limit
    ├── Unavailable         UNAVAILABLE      retry after a while
    ├── DeadlineExceeded    DEADLINE
    ├── DataLoss            DATA_LOSS        stored bytes are not what was stored
    ├── Unimplemented       UNIMPLEMENTED
    └── Internal            INTERNAL

A service subclasses one of these for each specific reason:

    class VersionNotOpen(FailedPrecondition):
        reason = "VERSION_NOT_OPEN"
"""

from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    EXISTS = "EXISTS"
    PRECONDITION = "PRECONDITION"
    CONFLICT = "CONFLICT"
    DENIED = "DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    EXHAUSTED = "EXHAUSTED"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE = "DEADLINE"
    DATA_LOSS = "DATA_LOSS"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"


class ModelyardError(Exception):
    """A refusal that the caller is meant to read.

    `message` says what is so, then what to do. `field` is the dotted path of the request field at fault, `resource`
    the full name of the thing it is about, `retry_after_s` when trying again makes sense; `facts` are the values
    that appear in the message, for machines.
    """

    kind: ClassVar[Kind] = Kind.INTERNAL
    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        resource: str = "",
        retry_after_s: float | None = None,
        **facts: str,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.resource = resource
        self.retry_after_s = retry_after_s
        self.facts = facts


class InvalidArgument(ModelyardError):
    kind = Kind.INVALID
    reason = "INVALID_ARGUMENT"


class OutOfRange(ModelyardError):
    kind = Kind.OUT_OF_RANGE
    reason = "OUT_OF_RANGE"


class NotFound(ModelyardError):
    kind = Kind.NOT_FOUND
    reason = "NOT_FOUND"


class AlreadyExists(ModelyardError):
    kind = Kind.EXISTS
    reason = "ALREADY_EXISTS"


class FailedPrecondition(ModelyardError):
    kind = Kind.PRECONDITION
    reason = "FAILED_PRECONDITION"


class Conflict(ModelyardError):
    kind = Kind.CONFLICT
    reason = "CONFLICT"


class PermissionDenied(ModelyardError):
    kind = Kind.DENIED
    reason = "PERMISSION_DENIED"


class Unauthenticated(ModelyardError):
    kind = Kind.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class ResourceExhausted(ModelyardError):
    kind = Kind.EXHAUSTED
    reason = "RESOURCE_EXHAUSTED"


class Unavailable(ModelyardError):
    """`retry_after_s` is one second unless the raiser knows better."""

    kind = Kind.UNAVAILABLE
    reason = "UNAVAILABLE"

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        resource: str = "",
        retry_after_s: float | None = 1.0,
        **facts: str,
    ) -> None:
        super().__init__(message, field=field, resource=resource, retry_after_s=retry_after_s, **facts)


class DeadlineExceeded(ModelyardError):
    kind = Kind.DEADLINE
    reason = "DEADLINE_EXCEEDED"


class DataLoss(ModelyardError):
    kind = Kind.DATA_LOSS
    reason = "DATA_LOSS"


class Unimplemented(ModelyardError):
    kind = Kind.UNIMPLEMENTED
    reason = "UNIMPLEMENTED"


class Internal(ModelyardError):
    """Something broke that the caller cannot help; the message is shown, so it carries no detail."""

    kind = Kind.INTERNAL
    reason = "INTERNAL"
