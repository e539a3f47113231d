"""ModelyardError <-> google.rpc.Status, in one place and in both directions.

Details, where they apply: ErrorInfo always; BadRequest with `field`; ResourceInfo with `resource`; RetryInfo with
`retry_after_s`; QuotaFailure with EXHAUSTED; PreconditionFailure with PRECONDITION.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from modelyard.foundation.errors import Kind, ModelyardError

DOMAIN: Final = "modelyard"
DETAILS_KEY: Final = "grpc-status-details-bin"

CODES: Final[Mapping[Kind, grpc.StatusCode]] = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    Kind.PRECONDITION: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.CONFLICT: grpc.StatusCode.ABORTED,
    Kind.DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.OUT_OF_RANGE: grpc.StatusCode.OUT_OF_RANGE,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.DEADLINE: grpc.StatusCode.DEADLINE_EXCEEDED,
    Kind.DATA_LOSS: grpc.StatusCode.DATA_LOSS,
    Kind.UNIMPLEMENTED: grpc.StatusCode.UNIMPLEMENTED,
    Kind.INTERNAL: grpc.StatusCode.INTERNAL,
}

_MAX_MESSAGE = 1024
"""Characters of a message on the wire; it travels in a trailer, whose size is limited."""


def code_of(error: ModelyardError) -> grpc.StatusCode:
    return CODES[error.kind]


def code_number(code: grpc.StatusCode) -> int:
    return int(code.value[0])


def to_status(error: ModelyardError) -> status_pb2.Status:
    message = shorten(error.message)
    status = status_pb2.Status(code=code_number(code_of(error)), message=message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    for key, value in error.facts.items():
        info.metadata[key] = shorten(str(value))
    status.details.add().Pack(info)
    if error.field:
        bad = error_details_pb2.BadRequest()
        bad.field_violations.add(field=error.field, description=message)
        status.details.add().Pack(bad)
    if error.kind is Kind.PRECONDITION:
        failure = error_details_pb2.PreconditionFailure()
        failure.violations.add(type=error.reason, subject=error.resource, description=message)
        status.details.add().Pack(failure)
    if error.kind is Kind.EXHAUSTED:
        quota = error_details_pb2.QuotaFailure()
        quota.violations.add(subject=error.resource, description=message)
        status.details.add().Pack(quota)
    if error.resource:
        status.details.add().Pack(
            error_details_pb2.ResourceInfo(
                resource_type=resource_type(error.resource), resource_name=error.resource, description=message
            )
        )
    if error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(math.ceil(error.retry_after_s * 1e9))
        status.details.add().Pack(retry)
    return status


def resource_type(name: str) -> str:
    """`projects/p/datasets/d` -> "dataset": the collection of the last segment, in the singular."""
    segments = name.split("/")
    collection = segments[-2] if len(segments) >= 2 else segments[0]
    return collection.removesuffix("s")


def shorten(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…"


@dataclass(frozen=True, slots=True)
class Failure:
    """A status another process answered with, unpacked."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    """Field path -> what is wrong with it."""
    resource: str = ""
    retry_after_s: float | None = None


def failure_of(error: grpc.aio.AioRpcError) -> Failure:
    """What a failed call says; works with servers that send no details."""
    return read_failure(error.code(), error.details() or "", _details_bytes(error.trailing_metadata()))


def reason_of(error: grpc.aio.AioRpcError) -> str:
    return failure_of(error).reason


def read_failure(code: grpc.StatusCode, message: str, details: bytes) -> Failure:
    status = status_pb2.Status()
    try:
        status.ParseFromString(details)
    except DecodeError:
        return Failure(code, message)
    reason, resource = "", ""
    facts: dict[str, str] = {}
    fields: dict[str, str] = {}
    retry_after_s: float | None = None
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        retry, about = error_details_pb2.RetryInfo(), error_details_pb2.ResourceInfo()
        if detail.Unpack(info):
            reason, facts = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            fields = {violation.field: violation.description for violation in bad.field_violations}
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
        elif detail.Unpack(about):
            resource = about.resource_name
    return Failure(code, message, reason, facts, fields, resource, retry_after_s)


def to_error(failure: Failure) -> ModelyardError:
    """The same failure as an error of this process, for a service that passes a neighbour's answer on."""
    kind = next((kind for kind, code in CODES.items() if code is failure.code), Kind.INTERNAL)
    found = _PASSED_ON[kind](
        failure.message,
        field=next(iter(failure.fields), ""),
        resource=failure.resource,
        retry_after_s=failure.retry_after_s,
    )
    found.facts.update(failure.facts)
    if failure.reason:
        found.reason = failure.reason  # type: ignore[misc]  # the neighbour's reason, on this instance only
    return found


def _details_bytes(metadata: Iterable[tuple[str, str | bytes]] | None) -> bytes:
    for key, value in metadata or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return value
    return b""


def _passed_on(kind: Kind) -> type[ModelyardError]:
    return type(f"PassedOn{kind.title()}", (ModelyardError,), {"kind": kind, "reason": "UPSTREAM"})


_PASSED_ON: Final = {kind: _passed_on(kind) for kind in Kind}
