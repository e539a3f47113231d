"""The processes around a measured proxy: an echo, a bare pass-through, and a caller.

    python -m tests.bench.proxy_peers echo ADDRESS
    python -m tests.bench.proxy_peers bare ADDRESS TARGET
    python -m tests.bench.proxy_peers open ADDRESS TOKEN RATE SECONDS METHOD

The caller prints latencies in seconds, a JSON list on one line.
"""

import asyncio
import json
import sys
import time
from typing import Any

import grpc

from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.foundation.rpc.shapes import Context, MethodHandler

PREDICT = "/tensorflow.serving.PredictionService/Predict"
BODY_BYTES = 3072


def body() -> bytes:
    """A PredictRequest of about 3 KB."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "digits"
    image = request.inputs["image"]
    image.dtype = tensor_pb2.DT_FLOAT
    for size in (1, BODY_BYTES // 4):
        image.tensor_shape.dim.add(size=size)
    image.tensor_content = bytes(BODY_BYTES)
    return request.SerializeToString()


class Echo(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> MethodHandler:
        return grpc.unary_unary_rpc_method_handler(self._echo)

    async def _echo(self, data: bytes, _: Context) -> bytes:
        return data


class Bare(grpc.GenericRpcHandler):
    """Passes bytes on and does nothing else: the floor of a proxy in `grpc.aio`."""

    def __init__(self, target: str) -> None:
        self._call: Any = grpc.aio.insecure_channel(target).unary_unary(PREDICT)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> MethodHandler:
        return grpc.unary_unary_rpc_method_handler(self._pass)

    async def _pass(self, data: bytes, context: Context) -> bytes:
        answer: bytes = await self._call(data, timeout=context.time_remaining())
        return answer


async def serve(address: str, handler: grpc.GenericRpcHandler) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(address)
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


class Caller:
    def __init__(self, address: str, token: str, method: str = PREDICT) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._call: Any = self._channel.unary_unary(method)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._body = body()
        self.latencies: list[float] = []

    async def once(self) -> None:
        began = time.perf_counter()
        await self._call(self._body, metadata=self._metadata, timeout=10)
        self.latencies.append(time.perf_counter() - began)

    async def open(self, rate: float, seconds: float) -> None:
        """A call every 1/rate seconds, whether the ones before are answered or not."""
        await self.once()
        self.latencies.clear()
        began = time.perf_counter()
        tasks = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(self.once()))
        await asyncio.gather(*tasks)


async def main(role: str, address: str, *rest: str) -> None:
    match role:
        case "echo":
            await serve(address, Echo())
        case "bare":
            await serve(address, Bare(rest[0]))
        case "open":
            caller = Caller(address, rest[0], rest[3])
            await caller.open(float(rest[1]), float(rest[2]))
            print(json.dumps(caller.latencies))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
