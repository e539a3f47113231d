"""What a call can fail with.

ModelyardError
├── InvalidArgument       the request is wrong by itself; `field` says where
├── NotFound              there is no such thing
├── AlreadyExists         there is one of that name
├── FailedPrecondition    not in this state
├── Aborted               somebody else was faster; read again
├── PermissionDenied      the token's role does not allow it, or there is no such thing
├── Unauthenticated       no token, or not a valid one
├── ResourceExhausted     a limit; `retry_after_s` where waiting helps
├── OutOfRange            past an end
├── Unavailable           cannot be reached now; try again
├── DeadlineExceeded      took too long
├── DataLoss              content is not what it was
├── Unimplemented         this server does not have that
├── Cancelled             the call was given up
└── Internal              a fault of the server; `message` carries an id to look for in its log
"""

from collections.abc import Mapping
from typing import cast

import grpc
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY = "grpc-status-details-bin"
_NO_ADDRESS = ("errors resolving", "DNS resolution failed")
_NO_CONNECTION = ("failed to connect to all addresses", "connections to all backends failing", *_NO_ADDRESS)
"""How gRPC itself begins to say that there was no connection; the call has not reached anybody."""


class ModelyardError(Exception):
    """A failed call: what is so and what to do, with a machine-readable reason."""

    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        field: str = "",
        facts: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        """UPPER_SNAKE, the same for the same cause in every release."""
        self.field = field
        """Path of the field at fault in the request, if one is."""
        self.facts = dict(facts or {})
        """The values that the message speaks of."""
        self.retry_after_s = retry_after_s


class InvalidArgument(ModelyardError):
    """The request is wrong by itself."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(ModelyardError):
    """There is no such thing."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(ModelyardError):
    """There is one of that name."""

    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(ModelyardError):
    """Not in this state."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(ModelyardError):
    """Somebody else was faster; read again."""

    code = grpc.StatusCode.ABORTED


class PermissionDenied(ModelyardError):
    """The token's role does not allow it, or there is no such thing."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(ModelyardError):
    """No token, or not a valid one."""

    code = grpc.StatusCode.UNAUTHENTICATED


class ResourceExhausted(ModelyardError):
    """A limit."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class OutOfRange(ModelyardError):
    """Past an end."""

    code = grpc.StatusCode.OUT_OF_RANGE


class Unavailable(ModelyardError):
    """It cannot be reached now."""

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceeded(ModelyardError):
    """It took too long."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class DataLoss(ModelyardError):
    """Content is not what it was."""

    code = grpc.StatusCode.DATA_LOSS


class Unimplemented(ModelyardError):
    """This server does not have that."""

    code = grpc.StatusCode.UNIMPLEMENTED


class Cancelled(ModelyardError):
    """The call was given up."""

    code = grpc.StatusCode.CANCELLED


class Internal(ModelyardError):
    """A fault of the server."""

    code = grpc.StatusCode.INTERNAL


_BY_CODE = {kind.code: kind for kind in ModelyardError.__subclasses__()}
_BY_NUMBER = {kind.code.value[0]: kind for kind in ModelyardError.__subclasses__()}


def from_status(status: status_pb2.Status) -> ModelyardError:
    """The error that a google.rpc.Status says, such as the one in Job.error."""
    kind = _BY_NUMBER.get(status.code, ModelyardError)
    reason, field, facts, retry_after_s = "", "", {}, None
    for detail in status.details:
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason, facts = info.reason, dict(info.metadata)
        elif detail.Unpack(bad) and bad.field_violations:
            field = bad.field_violations[0].field
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    return kind(status.message, reason=reason, field=field, facts=facts, retry_after_s=retry_after_s)


def from_rpc_error(error: grpc.RpcError, server: str = "") -> ModelyardError:
    """The error that a failed call to `server` says."""
    call = cast("grpc.Call", error)
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    details = call.details() or ""
    if call.code() is grpc.StatusCode.UNAVAILABLE and details.startswith(_NO_CONNECTION):
        return Unavailable(_why_unreachable(server, details), reason="SERVER_UNREACHABLE", facts={"detail": details})
    kind = _BY_CODE.get(call.code(), ModelyardError)
    return kind(details or f"the call failed with {call.code().name}")


def _why_unreachable(server: str, details: str) -> str:
    """A sentence for what gRPC says in its own words."""
    if "handshake failed" in details:
        return f"no secure connection to {server}: its certificate is not trusted here, or it does not speak TLS"
    if "Failed parsing HTTP/2" in details:
        return f"what answers at {server} is not modelyard; check the address"
    if details.startswith(_NO_ADDRESS):
        return f"the name in {server} is not known; check the address"
    return f"nothing answers at {server}"
