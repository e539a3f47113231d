"""The one way to call gRPC from inside modelyard.

channel = connect(settings.catalog, credentials=TokenFile(path), retry=retriable(dataset_service_pb2.DESCRIPTOR))
stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import FileDescriptor

from modelyard.foundation.auth.credentials import Credentials, authorization
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.errors import FailedPrecondition

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
SAFE_PREFIXES = ("Get", "List", "Watch", "Stream", "Sync", "Query", "Sign", "Simulate", "Explain")
"""Methods that may be sent twice."""


class BadChannel(FailedPrecondition):
    reason = "BAD_CHANNEL"


def connect(
    settings: ChannelSettings,
    *,
    credentials: Credentials | None = None,
    retry: Sequence[str] = (),
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    options: Sequence[tuple[str, Any]] = (),
) -> grpc.aio.Channel:
    """A channel that connects when it is first used.

    `credentials` give the token for each call, on TLS, on loopback and on a unix socket. `retry` are the full names
    of methods ("package.Service/Method") that are sent again when the server is not there.
    """
    arguments = [*channel_options(retry, max_message_bytes), *options]
    interceptors = with_token(credentials) if credentials else []
    if not settings.tls:
        return grpc.aio.insecure_channel(settings.target, arguments, interceptors=interceptors)
    if settings.tls_server_name:
        arguments.append(("grpc.ssl_target_name_override", settings.tls_server_name))
    return grpc.aio.secure_channel(settings.target, _tls(settings), arguments, interceptors=interceptors)


def retriable(*files: FileDescriptor, also: Iterable[str] = ()) -> list[str]:
    """The methods of the services in `files` that are safe to repeat by their name, and those in `also`: methods
    that carry a request_id or are idempotent by design ("BeginExecution")."""
    also = frozenset(also)
    return [
        f"{service.full_name}/{method.name}"
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
        if method.name.startswith(SAFE_PREFIXES) or method.name in also
    ]


def channel_options(retry: Sequence[str], max_message_bytes: int = MAX_MESSAGE_BYTES) -> list[tuple[str, Any]]:
    return [
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        # Also how long a connection may take to come up; a refused one fails at once.
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.enable_retries", 1),
        ("grpc.service_config", json.dumps(_service_config(retry))),
    ]


def _service_config(retry: Sequence[str]) -> dict[str, Any]:
    if not retry:
        return {}
    names = [dict(zip(("service", "method"), name.split("/", 1), strict=True)) for name in retry]
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return {
        "methodConfig": [{"name": names, "retryPolicy": policy}],
        "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1},
    }


def _tls(settings: ChannelSettings) -> grpc.ChannelCredentials:
    paths = (settings.tls_ca_file, settings.tls_key_file, settings.tls_cert_file)
    try:
        ca, key, cert = (path.read_bytes() if path else None for path in paths)
    except OSError as error:
        raise BadChannel(f"a TLS file cannot be read: {error}") from None
    return grpc.ssl_channel_credentials(ca, key, cert)


def with_token(credentials: Credentials) -> list[grpc.aio.ClientInterceptor]:
    """Interceptors that add the token to calls of all four shapes.

    gRPC's own call credentials refuse plaintext connections, unix sockets among them; an interceptor is one way for
    all. (grpc.aio files an interceptor under the first shape it has, so there is one a shape.)
    """
    return [_UnaryUnary(credentials), _UnaryStream(credentials), _StreamUnary(credentials), _StreamStream(credentials)]


class _WithToken:
    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def _details(self, details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
        entries = list(details.metadata or ())
        token = self._credentials.token()
        if not token or any(key == "authorization" for key, _ in entries):
            return details
        return grpc.aio.ClientCallDetails(
            method=details.method,
            timeout=details.timeout,
            metadata=grpc.aio.Metadata(*entries, authorization(token)),
            credentials=details.credentials,
            wait_for_ready=details.wait_for_ready,
        )


Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Any]


class _UnaryUnary(_WithToken, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self._details(client_call_details), request)


class _UnaryStream(_WithToken, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self._details(client_call_details), request)


class _StreamUnary(_WithToken, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request_iterator: Any
    ) -> Any:
        return await continuation(self._details(client_call_details), request_iterator)


class _StreamStream(_WithToken, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request_iterator: Any
    ) -> Any:
        return await continuation(self._details(client_call_details), request_iterator)
