"""A service with all four shapes, described at run time: what the RPC layer is tested with."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "modelyard.tests.echo.v1.EchoService"
METHODS = {"Unary": (False, False), "Tail": (False, True), "Collect": (True, False), "Chat": (True, True)}
"""Method -> (requests stream, responses stream)."""


def _describe() -> Any:
    package = SERVICE.rpartition(".")[0]
    file = descriptor_pb2.FileDescriptorProto(name="modelyard/tests/echo.proto", package=package, syntax="proto3")
    message = file.message_type.add(name="Echo")
    for number, field in enumerate(("name", "text"), 1):
        message.field.add(name=field, number=number, type=9, label=1)
    service = file.service.add(name=SERVICE.rpartition(".")[2])
    for method, (client, server) in METHODS.items():
        kind = f".{package}.Echo"
        service.method.add(
            name=method, input_type=kind, output_type=kind, client_streaming=client, server_streaming=server
        )
    pool = descriptor_pool.Default()
    return message_factory.GetMessageClass(
        pool.AddSerializedFile(file.SerializeToString()).message_types_by_name["Echo"]
    )


Echo: Any = _describe()
FILE = Echo.DESCRIPTOR.file


class EchoServicer:
    """Answers what it was asked; a test puts something else in place of `on_call`."""

    def __init__(self, on_call: Callable[[Any], Awaitable[Any]] | None = None) -> None:
        self.on_call = on_call
        self.calls = 0

    async def _answer(self, request: Any) -> Any:
        self.calls += 1
        return await self.on_call(request) if self.on_call else request

    async def Unary(self, request: Any, context: object) -> Any:
        return await self._answer(request)

    async def Tail(self, request: Any, context: object) -> AsyncIterator[Any]:
        for _ in range(3):
            yield await self._answer(request)

    async def Collect(self, requests: AsyncIterator[Any], context: object) -> Any:
        return await self._answer(Echo(text=",".join([request.text async for request in requests])))

    async def Chat(self, requests: AsyncIterator[Any], context: object) -> AsyncIterator[Any]:
        async for request in requests:
            yield await self._answer(request)


def add_echo(servicer: Any, server: Any) -> None:
    """What grpcio-tools would have generated."""
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    handlers = {
        method: makers[shape](getattr(servicer, method), Echo.FromString, Echo.SerializeToString)
        for method, shape in METHODS.items()
    }
    server.add_registered_method_handlers(SERVICE, handlers)


class EchoClient:
    """Calls a method of any shape with one request and returns the list of answers."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def call(self, method: str, request: Any = None, **options: Any) -> list[Any]:
        client, server = METHODS[method]
        shape = f"{'stream' if client else 'unary'}_{'stream' if server else 'unary'}"
        rpc = getattr(self._channel, shape)(f"/{SERVICE}/{method}", encode, Echo.FromString)
        request = Echo() if request is None else request
        call = rpc(iter([request]) if client else request, **options)
        return [answer async for answer in call] if server else [await call]

    async def raw(self, method: str, data: bytes = b"", **options: Any) -> bytes:
        """Any method, bytes for bytes."""
        rpc: Any = self._channel.unary_unary(method)
        return bytes(await rpc(data, **options))


def encode(request: Any) -> bytes:
    return request if isinstance(request, bytes) else bytes(request.SerializeToString())
