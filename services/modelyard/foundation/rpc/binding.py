"""The edge, bound to grpc.aio: every method handler of a service is wrapped once, when it is registered.

Order for each call: observe - identity - deadline - concurrency - decode - authorise - handler.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from modelyard.foundation.auth.identity import Identity, set_current_identity
from modelyard.foundation.auth.policy import Rule, authorize
from modelyard.foundation.auth.tokens import Verifier
from modelyard.foundation.errors import InvalidArgument, ModelyardError, Unavailable
from modelyard.foundation.rpc import edge
from modelyard.foundation.rpc.limits import InFlight
from modelyard.foundation.rpc.shapes import Context, MethodHandler
from modelyard.foundation.rpc.status import DETAILS_KEY, code_of, to_status
from modelyard.foundation.telemetry.metrics import RpcMetrics

Handler = Callable[[Any, Context], Any]
Work = Callable[[Identity | None], Awaitable[Any]]


class Streams:
    """The calls with a stream of answers that are open. They are tails and watches, which have no end of their own:
    when the server stops, they end with UNAVAILABLE and the client resumes elsewhere."""

    def __init__(self) -> None:
        self._open: set[asyncio.Timeout] = set()
        self.closed = False

    @contextmanager
    def opened(self, scope: asyncio.Timeout) -> Iterator[None]:
        self._open.add(scope)
        try:
            yield
        finally:
            self._open.discard(scope)

    def close(self) -> None:
        self.closed = True
        for scope in self._open:
            scope.reschedule(asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True)
class Edge:
    """What all calls of a server share."""

    verifier: Verifier
    in_flight: InFlight
    streams: Streams
    metrics: RpcMetrics | None = None
    unary_cap_s: float = edge.UNARY_CAP_S
    quiet: frozenset[str] = field(default_factory=frozenset)


def bind(method: str, handler: MethodHandler, rule: Rule, shared: Edge) -> MethodHandler:
    """`handler` behind the edge, in the same one of the four shapes; `method` is "/package.Service/Method"."""
    call = _Call(method, rule, shared, handler.request_deserializer)
    encode = handler.response_serializer
    # The stubs know the synchronous handlers only.
    shapes: Any = handler
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(call.stream_stream(shapes.stream_stream), None, encode)
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(call.stream_unary(shapes.stream_unary), None, encode)
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(call.unary_stream(shapes.unary_stream), None, encode)
    return grpc.unary_unary_rpc_method_handler(call.unary_unary(shapes.unary_unary), None, encode)


class _Call:
    """The four shapes of one method. Requests arrive as bytes: decoding is part of the edge."""

    def __init__(self, method: str, rule: Rule, shared: Edge, decode: Callable[[bytes], Message] | None) -> None:
        self._method = method
        self._rule = rule
        self._shared = shared
        self._decode = decode

    def unary_unary(self, handler: Handler) -> Handler:
        async def serve(data: bytes, context: Context) -> Any:
            async def work(identity: Identity | None) -> Any:
                return await handler(self._request(data, identity), context)

            return await self._serve(context, work, self._shared.unary_cap_s)

        return serve

    def stream_unary(self, handler: Handler) -> Handler:
        async def serve(stream: AsyncIterator[bytes], context: Context) -> Any:
            async def work(identity: Identity | None) -> Any:
                return await handler(self._requests(stream, identity), context)

            return await self._serve(context, work, None)

        return serve

    def unary_stream(self, handler: Handler) -> Handler:
        async def serve(data: bytes, context: Context) -> None:
            async def work(identity: Identity | None) -> None:
                await _send(handler(self._request(data, identity), context), context)

            await self._serve(context, self._until_stopped(work), None)

        return serve

    def stream_stream(self, handler: Handler) -> Handler:
        async def serve(stream: AsyncIterator[bytes], context: Context) -> None:
            async def work(identity: Identity | None) -> None:
                await _send(handler(self._requests(stream, identity), context), context)

            await self._serve(context, self._until_stopped(work), None)

        return serve

    def _until_stopped(self, work: Work) -> Work:
        async def bounded(identity: Identity | None) -> None:
            streams = self._shared.streams
            try:
                async with asyncio.timeout(0 if streams.closed else None) as scope:
                    with streams.opened(scope):
                        await work(identity)
            except TimeoutError:
                if streams.closed and scope.expired():
                    raise Unavailable("this server is stopping; call again and go on from where you are") from None
                raise

        return bounded

    async def _serve(self, context: Context, work: Work, cap_s: float | None) -> Any:
        shared = self._shared
        seen = edge.Observation(self._method, shared.metrics, context.peer(), self._method in shared.quiet)
        try:
            metadata = context.invocation_metadata() or ()
            identity = edge.identify(metadata, shared.verifier, required=not self._rule.public)
            seen.identity = identity
            set_current_identity(identity)
            budget_s = edge.budget(context.time_remaining(), cap_s)
            with nullcontext() if self._rule.public else shared.in_flight.slot():
                answer = await _within(budget_s, work(identity))
        except asyncio.CancelledError:
            seen.end(grpc.StatusCode.CANCELLED)
            raise
        except grpc.aio.AbortError:
            seen.end(_set_code(context))
            raise
        except Exception as error:  # noqa: BLE001 - the one place where everything else ends
            shown = edge.shown(error, self._method)
            seen.fail(shown)
            await abort(context, shown)
        seen.end(grpc.StatusCode.OK)
        return answer

    def _request(self, data: bytes, identity: Identity | None) -> Any:
        request = self._decoded(data)
        if isinstance(request, Message):
            authorize(identity, self._rule, request, self._method)
        return request

    async def _requests(self, stream: AsyncIterator[bytes], identity: Identity | None) -> AsyncIterator[Any]:
        async for data in stream:
            yield self._request(data, identity)

    def _decoded(self, data: bytes) -> Any:
        if self._decode is None:
            return data
        try:
            return self._decode(data)
        except DecodeError:
            raise InvalidArgument("the request is not a message of the type this method takes") from None


async def abort(context: Context, error: ModelyardError) -> None:
    """Ends the call with the status of `error`."""
    status = to_status(error)
    await context.abort(code_of(error), status.message, ((DETAILS_KEY, status.SerializeToString()),))


async def _within(budget_s: float | None, work: Awaitable[Any]) -> Any:
    if budget_s is None:
        return await work
    try:
        async with asyncio.timeout(budget_s) as scope:
            return await work
    except TimeoutError:
        if scope.expired():
            raise edge.expired() from None
        raise


async def _send(responses: Any, context: Context) -> None:
    """Sends what a streaming handler produces: an async generator, or a coroutine that writes by itself."""
    if not hasattr(responses, "__aiter__"):
        await responses
        return
    async with aclosing(responses):
        async for response in responses:
            await context.write(response)


def _set_code(context: Context) -> grpc.StatusCode:
    """The code a handler aborted with; grpc.aio keeps its number."""
    number: object = context.code()
    return next((code for code in grpc.StatusCode if number in (code, code.value[0])), grpc.StatusCode.UNKNOWN)
