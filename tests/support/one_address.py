"""One address for several gRPC servers: unary calls pass through as bytes, by the service's name."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc

from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect


class _PassThrough(grpc.GenericRpcHandler):
    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self._channels = channels

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method
        channel = next((each for prefix, each in self._channels.items() if method.startswith(prefix)), None)
        if channel is None:
            return None
        call: Any = channel.unary_unary(method)

        async def forward(request: bytes, context: Any) -> bytes:
            metadata = [(key, value) for key, value in context.invocation_metadata() if key == "authorization"]
            try:
                answer: bytes = await call(request, metadata=metadata, timeout=context.time_remaining())
            except grpc.aio.AioRpcError as error:
                trailing = [(key, value) for key, value in error.trailing_metadata() if key.endswith("-bin")]
                await context.abort(error.code(), error.details() or "", tuple(trailing))
                raise
            return answer

        return grpc.unary_unary_rpc_method_handler(forward)


@asynccontextmanager
async def one_address(address: str, targets: Mapping[str, str]) -> AsyncIterator[None]:
    """Serves at `address` what `targets` (prefix of the method -> address) serve."""
    async with AsyncExitStack() as stack:
        channels = {
            prefix: await stack.enter_async_context(connect(ChannelSettings(target=target)))
            for prefix, target in targets.items()
        }
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((_PassThrough(channels),))
        server.add_insecure_port(address)
        await server.start()
        stack.push_async_callback(server.stop, 0)
        yield
