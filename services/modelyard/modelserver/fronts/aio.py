"""The grpc.aio front: raw bytes in and out of the server's methods; REST by uvicorn."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

import grpc
import grpc.aio
import uvicorn

from modelyard.foundation.rpc.binding import abort
from modelyard.foundation.rpc.edge import shown
from modelyard.modelserver.calls import Calls
from modelyard.modelserver.errors import AddressInUse
from modelyard.modelserver.flags import Options
from modelyard.modelserver.fronts.asgi import App
from modelyard.modelserver.server import MAX_MESSAGE_BYTES, ModelServer, Stream, Unary

Context = grpc.aio.ServicerContext[bytes, bytes]


_LAST_ANSWERS_S = 1.0
"""For answers that are on their way out. Our own count ends the calls: grpc.aio's `stop` also waits, for its whole
grace, for a call that arrived in the moment it was called and that nobody will answer."""


class Methods(grpc.GenericRpcHandler):
    def __init__(self, server: ModelServer) -> None:
        self._handlers: dict[str, Any] = {}
        for path, unary in server.unary.items():
            self._handlers[path] = grpc.unary_unary_rpc_method_handler(_unary(path, unary, server.calls))
        for path, stream in server.streams.items():
            self._handlers[path] = grpc.unary_stream_rpc_method_handler(_stream(path, stream, server.calls))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handlers.get(handler_call_details.method)


def _unary(path: str, method: Unary, calls: Calls) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def handle(body: bytes, context: Context) -> bytes:
        try:
            with calls:
                return await method(body)
        except Exception as error:
            await abort(context, shown(error, path))
            raise

    return handle


def _stream(path: str, method: Stream, calls: Calls) -> Callable[[bytes, Context], AsyncIterator[bytes]]:
    async def handle(body: bytes, context: Context) -> AsyncIterator[bytes]:
        try:
            with calls:
                async for message in method(body):
                    yield message
        except Exception as error:  # noqa: BLE001 - the edge of a call
            await abort(context, shown(error, path))

    return handle


class AioFront:
    """gRPC on grpc.aio, REST on uvicorn."""

    def __init__(self, server: ModelServer, options: Options) -> None:
        self._server = server
        self._options = options
        self._app = App(server)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set and the calls in flight are answered. Raises CannotServe, AddressInUse."""
        grpc_server = _grpc_server(self._server, self._options)
        await grpc_server.start()
        rest = [_uvicorn(self._app, sock) for sock in _rest_sockets(self._options)]
        serving_rest = [asyncio.create_task(front.serve(sockets=[sock])) for front, sock in rest]
        running = asyncio.create_task(self._server.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.drain(), self._options.drain_seconds if stopping.done() else 0)
            for front, _ in rest:
                front.should_exit = True
            await asyncio.gather(grpc_server.stop(_LAST_ANSWERS_S), *serving_rest)
            for task in (running, stopping):
                task.cancel()
            self._server.close()


class _Uvicorn(uvicorn.Server):
    """Without uvicorn's own signal handlers: the process has one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _uvicorn(app: App, sock: socket.socket) -> tuple[uvicorn.Server, socket.socket]:
    config = uvicorn.Config(
        cast(Any, app),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=int(_LAST_ANSWERS_S),
    )
    return _Uvicorn(config), sock


def _rest_sockets(options: Options) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    if options.rest_api_port:
        tcp = socket.socket()
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("127.0.0.1", options.rest_api_port))
        sockets.append(tcp)
    if options.rest_api_socket_path:
        unix = socket.socket(socket.AF_UNIX)
        with _private():
            unix.bind(options.rest_api_socket_path)
        sockets.append(unix)
    return sockets


def _grpc_server(server: ModelServer, options: Options) -> grpc.aio.Server:
    """A server on every gRPC address of the options, not started. Raises AddressInUse."""
    front = grpc.aio.server(
        handlers=[Methods(server)],
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ],
    )
    if options.port:
        _listen(front, f"127.0.0.1:{options.port}")
    if options.grpc_socket_path:
        with _private():
            _listen(front, f"unix:{options.grpc_socket_path}")
    return front


@contextlib.contextmanager
def _private() -> Iterator[None]:
    """Sockets made in here have mode 0600."""
    umask = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(umask)


def _listen(front: grpc.aio.Server, address: str) -> None:
    try:
        bound = front.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if not bound:
        raise AddressInUse(f"cannot listen on {address}")
