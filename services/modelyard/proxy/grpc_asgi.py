"""gRPC, bound to ASGI: for the front inside Envoy."""

import base64

from modelyard.foundation import asgi
from modelyard.foundation.auth.tokens import TokenInvalid
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.rpc import edge
from modelyard.proxy.adapters.upstream import Upstream
from modelyard.proxy.asgi_types import Event, Headers, Receive, Send, peer, read_body
from modelyard.proxy.domain import Backend, ModelSpec
from modelyard.proxy.errors import BadFraming
from modelyard.proxy.methods import METHODS, Method, Shape, not_offered
from modelyard.proxy.observed import observed
from modelyard.proxy.payload import HEADER_BYTES, Payload, announced_length, readable, too_large, unframed
from modelyard.proxy.service import OK, Call, ClientGone, Outcome, Predictions
from modelyard.proxy.spec import read_model_spec, read_task_specs

_HEADERS: Headers = [(b"content-type", b"application/grpc")]
_START = {"type": "http.response.start", "status": 200, "headers": _HEADERS, "trailers": True}
_OK_TRAILERS: Headers = [(b"grpc-status", b"0")]
_WANTED = frozenset((b"authorization", b"content-type", b"grpc-timeout", b"grpc-encoding", b"x-request-id"))


class GrpcOverAsgi:
    def __init__(self, predictions: Predictions, upstream: Upstream) -> None:
        self._predictions = predictions
        self._upstream = upstream

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        try:
            outcome = await self._answer(scope, receive)
        except ClientGone:
            return
        except ModelyardError as error:
            await _send_error(send, asgi.grpc_only_trailers(error))
            return
        if outcome.code == OK:
            await send(_START)
            await send({"type": "http.response.body", "body": outcome.payload.frame})
            await send({"type": "http.response.trailers", "headers": _OK_TRAILERS})
        else:
            await _send_error(send, _HEADERS + _trailers(outcome))

    async def _answer(self, scope: Event, receive: Receive) -> Outcome:
        path: str = scope["path"]
        method = METHODS.get(path)
        found = _wanted(scope["headers"])
        if not found.get(b"content-type", b"").startswith(b"application/grpc"):
            raise BadFraming("this path takes gRPC: POST with content-type application/grpc")
        if method is None:
            raise not_offered(path)
        call = self._predictions.open(
            method, _token(found), _timeout_s(found), found.get(b"x-request-id", b"").decode("latin-1"), peer(scope)
        )
        with observed(self._predictions, call) as seen:
            outcome = await self._serve(call, method, found.get(b"grpc-encoding", b"").decode("latin-1"), receive)
            seen.answered(outcome)
            call.bytes_out = len(outcome.payload)
            return outcome

    async def _serve(self, call: Call, method: Method, encoding: str, receive: Receive) -> Outcome:
        predictions = self._predictions
        payload = unframed(await self._body(call, receive), encoding, predictions.max_message_bytes)
        spec = self._spec(method, payload)
        predictions.admit(call, spec)

        async def send(backend: Backend, timeout_s: float) -> Outcome:
            return await self._upstream.unary(backend, method.path, payload, timeout_s, call.request_id)

        if method.shape is Shape.EACH_VERSION:
            return await predictions.gather(call, spec, send)
        return await predictions.forward(call, spec, send)

    def _spec(self, method: Method, payload: Payload) -> ModelSpec:
        """What a compressed message inflates to is in memory for as long as this takes, not while it is answered."""
        data, start = readable(payload, self._predictions.max_message_bytes)
        return read_task_specs(data, start) if method.shape is Shape.TASKS else read_model_spec(data, start)

    async def _body(self, call: Call, receive: Receive) -> bytes:
        """The whole body; what is too long is refused as soon as that is known."""
        limit = self._predictions.max_message_bytes

        def take(chunk: bytes, before: int) -> None:
            if before == 0 and len(chunk) >= HEADER_BYTES:
                announced_length(chunk, limit)
            elif before + len(chunk) > limit + HEADER_BYTES:
                raise too_large(before + len(chunk) - HEADER_BYTES, limit)
            self._predictions.hold(call, len(chunk))

        return await read_body(call, receive, take)


def _wanted(headers: Headers) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _WANTED:
            if name == b"authorization" and name in found:
                raise TokenInvalid("more than one authorization entry; send one")
            found[name] = value
    return found


def _token(found: dict[bytes, bytes]) -> str:
    value = found.get(b"authorization")
    if value is None:
        return ""
    if value.startswith(b"Bearer "):
        return value[7:].decode("latin-1").strip()
    return edge.bearer_token((("authorization", value.decode("latin-1")),))


def _timeout_s(found: dict[bytes, bytes]) -> float | None:
    return asgi.timeout_s(((b"grpc-timeout", found[b"grpc-timeout"]),)) if b"grpc-timeout" in found else None


def _trailers(outcome: Outcome) -> Headers:
    trailers = [
        (b"grpc-status", str(outcome.code).encode()),
        (b"grpc-message", asgi.percent_encode(outcome.message)),
    ]
    if outcome.details:
        trailers.append((b"grpc-status-details-bin", base64.b64encode(outcome.details).rstrip(b"=")))
    return trailers


async def _send_error(send: Send, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
