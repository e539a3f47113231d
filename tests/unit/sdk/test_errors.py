from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from modelyard.foundation import errors as raised
from modelyard.foundation.rpc.status import CODES, code_number
from modelyard.sdk import errors
from modelyard.sdk.errors import from_rpc_error, from_status


class Failed(grpc.RpcError):
    """A failed call, as grpc answers it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailers: Any = ()) -> None:
        super().__init__()
        self._all = code, details, trailers

    def code(self) -> grpc.StatusCode:
        return self._all[0]

    def details(self) -> str:
        return self._all[1]

    def trailing_metadata(self) -> Any:
        return self._all[2]


def status(code: grpc.StatusCode = grpc.StatusCode.NOT_FOUND) -> status_pb2.Status:
    message = status_pb2.Status(code=code.value[0], message="there is no such thing")
    message.details.add().Pack(error_details_pb2.ErrorInfo(reason="NOT_THERE", metadata={"name": "x"}))
    violation = error_details_pb2.BadRequest.FieldViolation(field="job.spec.template", description="bad")
    message.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    message.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000)))
    return message


def test_every_code_has_a_class_of_its_own() -> None:
    kinds = errors.ModelyardError.__subclasses__()
    said_elsewhere = {grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN}
    assert {kind.code for kind in kinds} == set(grpc.StatusCode) - said_elsewhere
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_the_drawing_in_the_module_names_them_all() -> None:
    for kind in errors.ModelyardError.__subclasses__():
        assert f"── {kind.__name__} " in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", list(raised.Kind))
def test_whatever_a_service_raises_has_its_class_here(kind: raised.Kind) -> None:
    assert type(from_status(status_pb2.Status(code=code_number(CODES[kind])))) is not errors.ModelyardError


def test_details_of_a_status_become_attributes() -> None:
    error = from_status(status())
    assert isinstance(error, errors.NotFound)
    assert (error.message, error.reason, error.field) == ("there is no such thing", "NOT_THERE", "job.spec.template")
    assert error.facts == {"name": "x"}
    assert error.retry_after_s == 1.5


def test_a_failed_call_is_told_by_its_status_where_it_has_one() -> None:
    trailers = (("other", "x"), ("grpc-status-details-bin", status().SerializeToString()))
    error = from_rpc_error(Failed(grpc.StatusCode.NOT_FOUND, "short", trailers))
    assert (error.message, error.reason) == ("there is no such thing", "NOT_THERE")


def test_else_by_its_code_and_text() -> None:
    error = from_rpc_error(Failed(grpc.StatusCode.UNAVAILABLE, "connection refused", None))
    assert isinstance(error, errors.Unavailable)
    assert (error.message, error.reason) == ("connection refused", "")
    assert from_rpc_error(Failed(grpc.StatusCode.INTERNAL, "")).message == "the call failed with INTERNAL"


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote "
            "host: Connection refused",
            "nothing answers at here:1",
        ),
        (
            "failed to connect to all addresses; last error: INTERNAL: ipv4:127.0.0.1:1: Failed parsing HTTP/2 "
            "(Expected SETTINGS frame)",
            "what answers at here:1 is not modelyard; check the address",
        ),
        (
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Tls handshake failed",
            "no secure connection to here:1: its certificate is not trusted here, or it does not speak TLS",
        ),
        (
            "errors resolving here:1: [field:hostname lookup error:address lookup failed]",
            "the name in here:1 is not known; check the address",
        ),
    ],
)
def test_a_server_that_was_not_reached_is_told_in_a_sentence(details: str, said: str) -> None:
    error = from_rpc_error(Failed(grpc.StatusCode.UNAVAILABLE, details), "here:1")
    assert (error.message, error.reason, error.facts) == (said, "SERVER_UNREACHABLE", {"detail": details})


def test_a_code_that_is_none_is_the_general_error() -> None:
    assert type(from_status(status_pb2.Status(code=77, message="odd"))) is errors.ModelyardError
