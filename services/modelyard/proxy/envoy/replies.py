"""What Envoy answers by itself, in the words and codes of our error table (its `local_reply_config`)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.foundation.errors import (
    DeadlineExceeded,
    InvalidArgument,
    ModelyardError,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)
from modelyard.foundation.rpc.status import code_number, code_of, to_status

Json = dict[str, Any]


class ServiceUnreachable(Unavailable):
    reason = "SERVICE_UNREACHABLE"


class ServiceWentAway(Unavailable):
    reason = "SERVICE_WENT_AWAY"


class ProxyOverloaded(Unavailable):
    reason = "PROXY_OVERLOADED"


class AnswerTooLate(DeadlineExceeded):
    reason = "ANSWER_TOO_LATE"


class RequestTooSlow(DeadlineExceeded):
    reason = "REQUEST_TOO_SLOW"


class RequestTooLarge(ResourceExhausted):
    reason = "REQUEST_TOO_LARGE"


class HeadersTooLarge(ResourceExhausted):
    reason = "METADATA_TOO_LARGE"


class NothingThere(Unimplemented):
    reason = "NO_SUCH_METHOD"


class UrlNotSigned(PermissionDenied):
    reason = "URL_NOT_SIGNED"


class BadHttp(InvalidArgument):
    reason = "BAD_HTTP"


@dataclass(frozen=True, slots=True)
class Reply:
    """`error` answers what has one of Envoy's response `flags`, or `status`.

    %ROUTE_NAME% may stand in its sentence.
    """

    error: ModelyardError
    flags: Sequence[str] = ()
    status: int = 0


REPLIES = (
    Reply(ProxyOverloaded("the proxy is out of memory; try again in a moment", retry_after_s=2.0), flags=("OM",)),
    Reply(
        ServiceUnreachable("the %ROUTE_NAME% service cannot be reached; try again in a moment"),
        flags=("UH", "UF", "UO", "NC"),
    ),
    Reply(
        ServiceWentAway("the %ROUTE_NAME% service went away before it answered; try again in a moment"),
        flags=("UC", "UR", "LR", "UPE"),
    ),
    Reply(AnswerTooLate("the answer was not ready in time; allow more time or ask for less"), status=504),
    Reply(RequestTooSlow("the request did not arrive in time; send it faster or in smaller parts"), status=408),
    Reply(RequestTooLarge("the request is longer than is accepted; send less at once"), status=413),
    Reply(HeadersTooLarge("the request's metadata is longer than is accepted; send less of it"), status=431),
    Reply(NothingThere("there is nothing at this path; the services and methods are listed by reflection"), status=404),
    Reply(UrlNotSigned("the store takes signed URLs only; ask the catalog for one"), status=403),
    Reply(BadHttp("the request is not valid HTTP"), status=400),
    Reply(ProxyOverloaded("the proxy cannot take this request now; try again in a moment"), status=503),
)


def local_reply_config() -> Json:
    return {"mappers": [mapper for reply in REPLIES for mapper in _mappers(reply)]}


def _mappers(reply: Reply) -> list[Json]:
    """One for gRPC (status, message and details), one for everything else (TF Serving's JSON)."""
    error = reply.error
    details = to_status(type(error)(error.message.replace("%ROUTE_NAME% ", ""), retry_after_s=error.retry_after_s))
    for_grpc = {
        "filter": {"and_filter": {"filters": [_condition(reply), _IS_GRPC]}},
        "headers_to_add": [
            _header("grpc-status", str(code_number(code_of(error)))),
            _header("grpc-status-details-bin", base64.b64encode(details.SerializeToString()).decode().rstrip("=")),
        ],
        "body_format_override": {
            "text_format_source": {"inline_string": error.message},
            "content_type": "application/grpc",
        },
    }
    retry = [_header("retry-after", str(max(1, round(error.retry_after_s))))] if error.retry_after_s else []
    for_others = {
        "filter": _condition(reply),
        "headers_to_add": retry,
        "body_format_override": {"json_format": {"error": error.message}},
    }
    return [for_grpc, for_others]


def _condition(reply: Reply) -> Json:
    if reply.flags:
        return {"response_flag_filter": {"flags": list(reply.flags)}}
    return {
        "status_code_filter": {
            "comparison": {"op": "EQ", "value": {"default_value": reply.status, "runtime_key": "modelyard.none"}}
        }
    }


def _header(key: str, value: str) -> Json:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


_IS_GRPC: Json = {"header_filter": {"header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}}}
