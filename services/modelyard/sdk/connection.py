"""One channel to an installation: token, deadline and errors on every call."""

import ipaddress
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grpc
from google.protobuf.message import Message

from modelyard.sdk.discovery import Access
from modelyard.sdk.errors import Unavailable, from_rpc_error

Response = TypeVar("Response")

MAX_MESSAGE_BYTES = 64 << 20
CALL_TIMEOUT_S = 60.0
PATIENCE_S = 120.0
"""How long a watch waits for a server that answered before."""
_AGAIN_S = (0.1, 0.5, 1.0, 2.0)

_RETRIES = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
"""Safe for every call: those that create carry a request_id."""


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _Edge(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Puts the token on every call and tells whoever watches what is called."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self.watch: Callable[[str, Message], None] | None = None

    def metadata(self, method: str, request: Any) -> list[tuple[str, str]]:
        """What goes with a call, of which whoever watches hears."""
        if self.watch is not None:
            self.watch(method, request)
        token = self._token()
        return [("authorization", f"Bearer {token}")] if token else []

    def _dress(self, details: Any, request: Any) -> _Details:
        metadata = [*(details.metadata or ()), *self.metadata(details.method, request)]
        return _Details(details.method, details.timeout, metadata, details.credentials, details.wait_for_ready, None)

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._dress(client_call_details, request), request)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return continuation(self._dress(client_call_details, request), request)


class Many:
    """A method that is called many times at once: as the others, without the cost of gRPC's interceptors."""

    def __init__(self, method: str, stub: Any, edge: _Edge) -> None:
        self._method = method
        self._stub = stub
        self._edge = edge

    def future(self, request: Any, *, timeout: float) -> Any:
        """The call under way: gRPC's future. `timeout` in seconds."""
        return self._stub.future(request, timeout=timeout, metadata=self._edge.metadata(self._method, request))


class Connection:
    """A channel; thread-safe. Close it, or use it in a `with`."""

    def __init__(self, access: Access, token: Callable[[], str] | None = None) -> None:
        """`token` answers the token at every call, for those whose token is renewed."""
        self.access = access
        self._edge = _Edge(token or (lambda: access.token))
        self._bare = _open_channel(access)
        self.channel = grpc.intercept_channel(self._bare, self._edge)

    def watch_calls(self, watch: Callable[[str, Message], None]) -> None:
        """Call `watch(full method, request)` before every call."""
        self._edge.watch = watch

    def many(self, method: str, serializer: Callable[[Any], bytes], deserializer: Callable[[bytes], Any]) -> Many:
        """A unary method by its full name, `/package.Service/Method`."""
        stub = self._bare.unary_unary(method, request_serializer=serializer, response_deserializer=deserializer)
        return Many(method, stub, self._edge)

    def call(
        self, method: Callable[..., Response], request: Message, *, timeout: float | None = CALL_TIMEOUT_S
    ) -> Response:
        """A unary call; raises ModelyardError's subclasses. `timeout` in seconds."""
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.access.server) from None

    def stream(
        self, method: Callable[..., Iterable[Response]], request: Message, *, timeout: float | None = None
    ) -> Iterator[Response]:
        """A server stream; raises ModelyardError's subclasses from the iterator. Closing the iterator ends the call."""
        call = method(request, timeout=timeout)
        try:
            yield from call
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.access.server) from None
        finally:
            call.cancel()  # type: ignore[attr-defined]

    def follow(self, method: Callable[..., Iterable[Any]], request: Any) -> Iterator[Any]:
        """A server stream that is taken up again where it broke off: for watches, which begin with what is so now, and
        for streams with a cursor, which go on behind the last answer.

        Raises ModelyardError's subclasses; Unavailable only if there was no answer yet, or none for PATIENCE_S.
        """
        answered, tries, broken = False, 0, 0.0
        while True:
            started = time.monotonic()
            try:
                for answer in self.stream(method, request):
                    answered, tries = True, 0
                    if "cursor" in request.DESCRIPTOR.fields_by_name:
                        request.cursor = answer.cursor
                    yield answer
            except Unavailable:
                now = time.monotonic()
                if not tries or now - started > PATIENCE_S:
                    broken = now
                if not answered or now - broken > PATIENCE_S:
                    raise
                time.sleep(_AGAIN_S[min(tries, len(_AGAIN_S) - 1)])  # back-off between tries
                tries += 1
            else:
                return

    def close(self) -> None:
        """End every call and close the channel."""
        self._bare.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def is_local(server: str) -> bool:
    """Whether `server` is a unix socket or a loopback address, where plaintext is allowed."""
    if server.startswith("unix:"):
        return True
    host = server.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _open_channel(access: Access) -> grpc.Channel:
    options = [
        ("grpc.enable_http_proxy", 0 if is_local(access.server) else 1),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.service_config", _RETRIES),
        ("grpc.enable_retries", 1),
        ("grpc.keepalive_time_ms", 30_000),
    ]
    if is_local(access.server):
        return grpc.insecure_channel(access.server, options=options)
    roots = Path(access.ca_file).read_bytes() if access.ca_file else None
    return grpc.secure_channel(access.server, grpc.ssl_channel_credentials(root_certificates=roots), options=options)
