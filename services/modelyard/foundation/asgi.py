"""The edge, bound to ASGI: what an app needs to answer gRPC and REST with the same errors, identity and deadlines.

The app itself is the proxy's; these are pure functions over bytes and headers.
"""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

import grpc
from google.protobuf import json_format

from modelyard.foundation.errors import InvalidArgument, Kind, ModelyardError
from modelyard.foundation.rpc.status import CODES, DETAILS_KEY, code_number, code_of, to_status

Headers = Iterable[tuple[bytes, bytes]]

HTTP_STATUS: dict[Kind, int] = {
    Kind.INVALID: 400,
    Kind.NOT_FOUND: 404,
    Kind.EXISTS: 409,
    Kind.PRECONDITION: 400,
    Kind.CONFLICT: 409,
    Kind.DENIED: 403,
    Kind.UNAUTHENTICATED: 401,
    Kind.EXHAUSTED: 429,
    Kind.OUT_OF_RANGE: 400,
    Kind.UNAVAILABLE: 503,
    Kind.DEADLINE: 504,
    Kind.DATA_LOSS: 500,
    Kind.UNIMPLEMENTED: 501,
    Kind.INTERNAL: 500,
}

_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNIT_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def metadata(headers: Headers) -> list[tuple[str, str | bytes]]:
    """ASGI headers as gRPC metadata; `-bin` values are decoded."""
    entries: list[tuple[str, str | bytes]] = []
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        if name.endswith("-bin"):
            entries.append((name, _base64(raw_value, name)))
        else:
            entries.append((name, raw_value.decode("latin-1")))
    return entries


def header(headers: Headers, name: bytes) -> bytes | None:
    """The first header called `name` (lower case)."""
    return next((value for key, value in headers if key.lower() == name), None)


def timeout_s(headers: Headers) -> float | None:
    """Seconds in `grpc-timeout`, None without one."""
    value = header(headers, b"grpc-timeout")
    if value is None:
        return None
    match = _TIMEOUT.fullmatch(value)
    if match is None:
        raise InvalidArgument(
            "grpc-timeout must be up to 8 digits and a unit: H, M, S, m, u or n", field="grpc-timeout"
        )
    return int(match[1]) * _UNIT_S[match[2]]


def grpc_trailers(error: ModelyardError | None) -> list[tuple[bytes, bytes]]:
    """The trailers that end a gRPC answer; None is OK."""
    if error is None:
        return [(b"grpc-status", b"0")]
    status = to_status(error)
    return [
        (b"grpc-status", str(code_number(code_of(error))).encode()),
        (b"grpc-message", percent_encode(status.message)),
        (DETAILS_KEY.encode(), base64.b64encode(status.SerializeToString()).rstrip(b"=")),
    ]


def grpc_only_trailers(error: ModelyardError) -> list[tuple[bytes, bytes]]:
    """Headers of an answer that is nothing but an error ("trailers-only", HTTP status 200)."""
    return [(b"content-type", b"application/grpc"), *grpc_trailers(error)]


def percent_encode(message: str) -> bytes:
    """A message as `grpc-message` carries it: printable ASCII but `%` as is, the UTF-8 bytes of all else escaped."""
    return quote(message, safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}").encode()


def http_answer(error: ModelyardError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and JSON body for a REST client: google.rpc.Status as `{"error": {…}}`."""
    status = to_status(error)
    details = [json_format.MessageToDict(detail) for detail in status.details]
    document = {
        "error": {
            "code": HTTP_STATUS[error.kind],
            "status": code_of(error).name,
            "message": status.message,
            "details": details,
        }
    }
    headers = [(b"content-type", b"application/json")]
    if error.kind is Kind.UNAUTHENTICATED:
        headers.append((b"www-authenticate", b'Bearer realm="modelyard"'))
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, round(error.retry_after_s))).encode()))
    return HTTP_STATUS[error.kind], headers, json.dumps(document).encode()


def http_status_of(code: grpc.StatusCode) -> int:
    """The HTTP status for a code that came from elsewhere."""
    return _HTTP_BY_CODE.get(code, 500)


def _base64(value: bytes, name: str) -> bytes:
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except ValueError:
        raise InvalidArgument(f"metadata {name} is not base64", field=name) from None


_HTTP_BY_CODE = {
    **{code: HTTP_STATUS[kind] for kind, code in CODES.items()},
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
}
