"""A running proxy with everything it needs around it."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from modelyard.api.inference.v1 import route_service_pb2
from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.foundation.auth.trust import write_trust
from modelyard.foundation.rpc.status import Failure, failure_of
from modelyard.foundation.sync.children import Child
from tests.contract.proxy.fakes import PREDICT, Catalog, Fake, Inference, ModelServer
from tests.support.eventually import eventually
from tests.support.servers import Issuers

FRONTS = ("pyvoy", "aio")
BUCKET = "objects"
_BIG = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_READY_S = 40.0


@dataclass
class Stack:
    folder: Path
    front: str
    issuers: Issuers
    catalog: Catalog
    scheduler: Fake
    inference: Inference
    loop: asyncio.AbstractEventLoop
    """Where the fakes live."""
    lines: list[str] = field(default_factory=list)
    """What the proxy has written."""
    child: Child | None = None
    address: str = ""

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel]:
        async with grpc.aio.insecure_channel(self.address, [*_BIG, ("grpc.use_local_subchannel_pool", 1)]) as channel:
            yield channel

    async def route(self, *routes: route_service_pb2.Route) -> None:
        """Publishes the table and waits until the proxy uses it."""
        revision = await self.on_loop(self.inference.publish(*routes))
        await eventually(lambda: self.metric("modelyard_route_revision", revision))

    async def on_loop(self, work: Any) -> Any:
        """Runs a coroutine of a fake where the fakes live."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    async def metric(self, name: str, value: float) -> bool:
        return f"{name} {float(value)}" in await self.metrics()

    async def metrics(self) -> str:
        reader, writer = await asyncio.open_unix_connection(f"{self.folder}/metrics.sock")
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer.decode()

    @asynccontextmanager
    async def model_server(self, version: int, name: str = "") -> AsyncIterator[ModelServer]:
        server = ModelServer(version)
        await self.on_loop(server.start(self.endpoint(name or str(version))))
        try:
            yield server
        finally:
            await self.on_loop(server.stop())

    def endpoint(self, name: str) -> str:
        return f"unix:{self.folder}/model-{name}.sock"

    def access_log(self) -> list[dict[str, Any]]:
        found = (json.loads(line) for line in self.lines if line.startswith("{"))
        return [event for event in found if event["logger"] == "access"]


def route(
    name: str = "digits", backends: Sequence[tuple[int, str, int]] = (), *, project: str = "default", message: str = ""
) -> route_service_pb2.Route:
    """`backends` are version, endpoint, weight."""
    return route_service_pb2.Route(
        serving_name=name,
        deployment=f"projects/{project}/deployments/{name.rpartition('.')[2]}",
        backends=[route_service_pb2.Backend(version=v, endpoint=e, weight=w) for v, e, w in backends],
        message=message,
    )


def predict_request(name: str = "digits", version: int | None = None, values: Sequence[float] = (1.0,)) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    image = request.inputs["image"]
    image.dtype = tensor_pb2.DT_FLOAT
    image.tensor_shape.dim.add(size=len(values))
    image.float_val.extend(values)
    return request.SerializeToString()


async def call(channel: grpc.aio.Channel, token: str, request: bytes, method: str = PREDICT, **options: Any) -> bytes:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    options.setdefault("timeout", 20)
    ask: Any = channel.unary_unary(method)
    answer: bytes = await ask(request, metadata=metadata, **options)
    return answer


async def refused(
    channel: grpc.aio.Channel, token: str, request: bytes, method: str = PREDICT, **options: Any
) -> Failure:
    try:
        await call(channel, token, request, method, **options)
    except grpc.aio.AioRpcError as error:
        return failure_of(error)
    raise AssertionError("the call was not refused")


def version_of(answer: bytes) -> int:
    return predict_pb2.PredictResponse.FromString(answer).model_spec.version.value


@asynccontextmanager
async def running_proxy(folder: Path, front: str, **settings: Any) -> AsyncIterator[Stack]:
    """The whole stack; `settings` are added to the proxy's own."""
    stack = Stack(folder, front, Issuers(), Catalog(), Fake("scheduler"), Inference(), asyncio.get_running_loop())
    write_trust(folder / "trust.json", stack.issuers.trust)
    (folder / "token").write_text(stack.issuers.token("service", subject="services/proxy"))
    async with AsyncExitStack() as cleanup:
        for fake in (stack.catalog, stack.scheduler, stack.inference):
            await fake.start(f"unix:{folder}/{fake.name}.sock")
            cleanup.push_async_callback(fake.stop)
        child = await start_proxy(stack, settings)
        cleanup.push_async_callback(child.stop)
        yield stack


async def start_proxy(stack: Stack, settings: Mapping[str, Any]) -> Child:
    stack.lines.clear()
    stack.child = await Child.start(
        [sys.executable, "-m", "modelyard.proxy", "--config", str(write_config(stack, settings))],
        environment={"PATH": os.defpath},
        on_line=lambda _, line: stack.lines.append(line),
    )
    stack.address = await eventually(lambda: _serving(stack), timeout_s=_READY_S)
    return stack.child


def write_config(stack: Stack, settings: Mapping[str, Any]) -> Path:
    folder = stack.folder
    config: dict[str, Any] = {
        "server": {"listen": "127.0.0.1:0"},
        "run_dir": f"{folder}/run",
        "front": stack.front,
        "threads": 2,
        "grace_s": 5.0,
        "identity": {"trust_file": f"{folder}/trust.json", "token_file": f"{folder}/token"},
        "metrics": {"listen": f"unix:{folder}/metrics.sock"},
        **{name: {"target": f"unix:{folder}/{name}.sock"} for name in ("catalog", "scheduler", "inference")},
        **settings,
    }
    path = folder / "proxy.toml"
    path.write_text(_toml(config))
    return path


def _serving(stack: Stack) -> str:
    for line in stack.lines:
        if '"event": "serving"' in line:
            address: str = json.loads(line)["address"]
            return address
    if stack.child is not None and not stack.child.running:
        raise RuntimeError("the proxy ended:\n" + "\n".join(stack.lines))
    return ""


def _toml(config: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in config.items() if not isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, block in config.items():
        if isinstance(block, dict):
            lines += [f"[{key}]", *(f"{name} = {json.dumps(value)}" for name, value in block.items())]
    return "\n".join(lines) + "\n"


async def kill(stack: Stack) -> None:
    """As `kill -9` of the supervisor, by whoever."""
    assert stack.child is not None
    stack.child.send(signal.SIGKILL)
    await stack.child.wait()


def tokens_in(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if re.search(r"eyJ[\w-]+\.[\w-]+\.", line)]
