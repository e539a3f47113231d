"""The ASGI binding: errors, metadata and deadlines as bytes."""

import base64
import json
from urllib.parse import unquote_to_bytes

import grpc
import pytest
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from modelyard.foundation import asgi
from modelyard.foundation.errors import InvalidArgument, NotFound, ResourceExhausted, Unauthenticated
from modelyard.foundation.rpc.status import read_failure


def test_trailers_carry_the_whole_status() -> None:
    error = NotFound("größer 100%\nsecond", resource="projects/p/deployments/d")
    trailers = dict(asgi.grpc_trailers(error))
    assert trailers[b"grpc-status"] == b"5"
    assert trailers[b"grpc-message"] == b"gr%C3%B6%C3%9Fer 100%25%0Asecond"
    details = trailers[b"grpc-status-details-bin"]
    assert not details.endswith(b"=")
    raw = base64.b64decode(details + b"=" * (-len(details) % 4))
    assert status_pb2.Status.FromString(raw).message == error.message
    assert read_failure(grpc.StatusCode.NOT_FOUND, "", raw).resource == "projects/p/deployments/d"


def test_success_has_one_trailer() -> None:
    assert asgi.grpc_trailers(None) == [(b"grpc-status", b"0")]


@given(st.text())
def test_any_message_survives_percent_encoding(message: str) -> None:
    try:
        plain = message.encode()
    except UnicodeEncodeError:
        return
    encoded = asgi.percent_encode(message)
    assert unquote_to_bytes(encoded) == plain
    assert all(0x20 <= byte <= 0x7E for byte in encoded)


def test_a_rest_client_gets_the_status_as_json() -> None:
    status, headers, body = asgi.http_answer(InvalidArgument("page_size is negative", field="page_size"))
    assert status == 400
    assert (b"content-type", b"application/json") in headers
    error = json.loads(body)["error"]
    assert (error["code"], error["status"], error["message"]) == (400, "INVALID_ARGUMENT", "page_size is negative")
    assert error["details"][0]["reason"] == "INVALID_ARGUMENT"
    assert error["details"][1]["fieldViolations"][0]["field"] == "page_size"


def test_http_headers_say_what_to_do() -> None:
    assert asgi.http_answer(Unauthenticated("no token"))[1][1][0] == b"www-authenticate"
    status, headers, _ = asgi.http_answer(ResourceExhausted("slow down", retry_after_s=2.4))
    assert status == 429
    assert (b"retry-after", b"2") in headers


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"1H", 3600), (b"2M", 120), (b"3S", 3), (b"250m", 0.25), (b"5u", 5e-6), (b"7n", 7e-9)]
)
def test_timeouts_are_read(value: bytes, seconds: float) -> None:
    assert asgi.timeout_s([(b"grpc-timeout", value)]) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"1", b"S", b"1.5S", b"-1S", b"123456789S", b"1s"])
def test_bad_timeouts_are_refused(value: bytes) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asgi.timeout_s([(b"grpc-timeout", value)])
    assert caught.value.field == "grpc-timeout"


def test_headers_become_metadata() -> None:
    headers = [(b"Authorization", b"Bearer t"), (b"trace-bin", base64.b64encode(b"\x00\x01").rstrip(b"="))]
    assert asgi.metadata(headers) == [("authorization", "Bearer t"), ("trace-bin", b"\x00\x01")]
    with pytest.raises(InvalidArgument):
        asgi.metadata([(b"trace-bin", b"***")])


def test_codes_from_elsewhere_have_a_status() -> None:
    assert {asgi.http_status_of(code) for code in grpc.StatusCode} <= {
        200,
        400,
        401,
        403,
        404,
        409,
        429,
        499,
        500,
        501,
        503,
        504,
    }
    assert asgi.http_status_of(grpc.StatusCode.PERMISSION_DENIED) == 403
