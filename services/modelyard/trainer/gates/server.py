"""A model server in the sandbox that is given one model to load, and asked."""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import grpc
import ml_dtypes
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc
from numpy.typing import NDArray

from modelyard.api.serving.v1 import predict_pb2
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import End, EndKind, Limits, Sandbox, Tier
from modelyard.sdk.tensors import encode, shape, values
from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.gates.golden import Answers
from modelyard.trainer.gates.verdict import Signature

FOLDER_PREFIX = "modelyard-gate-"
MODEL_NAME = "gate"
MEMORY_SHARE = 0.75
"""Of the machine's memory, as the most that a model may take."""
_START_TIMEOUT_S = 180.0
_LOAD_TIMEOUT_S = 300.0
_CALL_TIMEOUT_S = 120.0
_MAX_PIDS = 4096
_SCRATCH_BYTES, _SCRATCH_FILES = 256 << 20, 1000
_MAX_MESSAGE_BYTES = 64 << 20
_NARROW = {name: np.dtype(getattr(ml_dtypes, name)) for name in ("bfloat16", "float8_e5m2", "float8_e4m3fn")}
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


class Refused(Exception):
    """The model is at fault; the text is a sentence's end, `said` is what the log has to say."""

    def __init__(self, problem: str, said: str = "") -> None:
        super().__init__(problem)
        self.said = said


class GateServer:
    """A running model server, without a model until `load`."""

    def __init__(self, child: Confined, channel: grpc.aio.Channel, base: Path, last: "deque[str]") -> None:
        self._child = child
        self._channel = channel
        self._base = base
        self._last = last
        self._predict = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        self._reload: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
        )

    def memory_bytes(self) -> int:
        """What it takes now."""
        return self._child.memory_bytes()

    async def load(self) -> None:
        """Load the model and answer its warm-up requests. Raises Refused."""
        try:
            await self._reload(_reload_request(self._base), timeout=_LOAD_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise await self._refused("it does not load in a model server", error) from error

    async def answer(self, signature: Signature, inputs: Answers) -> tuple[dict[str, NDArray[Any]], float]:
        """The outputs, and how long they took. Raises Refused."""
        request = request_of(signature, inputs)
        began = time.perf_counter()
        try:
            response = await self._predict(request, timeout=_CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            problem = f"the loaded model can't be asked by signature {signature.name!r}"
            raise await self._refused(problem, error) from error
        took = time.perf_counter() - began
        return {
            name: np.array(values(tensor)).reshape(shape(tensor)) for name, tensor in response.outputs.items()
        }, took

    async def _refused(self, what: str, error: grpc.aio.AioRpcError) -> Exception:
        """Who is at fault."""
        said = "\n".join(self._last)
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Refused(f"{what} in time; it takes too long for any request", said)
        if error.code() in _AWAY:
            return _ended(await self._child.wait(), f"{what}: it ended the model server", said)
        return Refused(f"{what}: {error.details()}", said)


def request_of(signature: Signature, inputs: Answers) -> predict_pb2.PredictRequest:
    """For the model that a gate's server has. Floats that NumPy does not have are wider in golden answers."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL_NAME, signature.name
    for name, array in inputs.items():
        tensor = request.inputs[name]
        narrow = (
            _NARROW.get(signature.input_types.get(name, ""), array.dtype) if array.dtype.kind == "f" else array.dtype
        )
        given = np.asarray(array, narrow, order="C")
        tensor.CopyFrom(encode(array.ravel().tolist() if array.dtype.kind == "S" else given))
        if array.dtype.kind == "S":
            tensor.tensor_shape.ClearField("dim")
            for size in array.shape:
                tensor.tensor_shape.dim.add(size=size)
    return request


@contextlib.asynccontextmanager
async def gate_server(model: Path, devices: Sequence[str], tier: Tier) -> AsyncIterator[GateServer]:
    """A server that can load `model` alone, on a socket that nobody else can open.

    Raises AttemptFailed when it does not start, SandboxUnavailable when this machine can't isolate it.
    """
    last = deque[str](maxlen=20)
    target = await asyncio.to_thread(model.resolve)
    # Not in the attempt's own folder, whose path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as name:
        folder = Path(name)
        base, run = folder / "base", folder / "run"
        for made in (base, run):
            made.mkdir()
        (base / "1").symlink_to(target, target_is_directory=True)
        (base / "models.config").write_text("model_config_list {}")
        sandbox = Sandbox(
            tier,
            readable=(target, base),
            writable=(run,),
            limits=Limits(
                memory_bytes=int(MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
                pids=_MAX_PIDS,
                disk_bytes=_SCRATCH_BYTES,
                disk_files=_SCRATCH_FILES,
            ),
            devices=device_files(devices),
        )
        socket = run / "s.sock"
        command = [
            *(sys.executable, "-m", "modelyard.modelserver", "--port=0", f"--grpc_socket_path={socket}"),
            *(f"--model_config_file={base / 'models.config'}", "--file_system_poll_wait_seconds=0"),
            *("--max_num_load_retries=0", "--front=aio"),
        ]
        server = await Confined.start(
            sandbox,
            command,
            environment=_environment(run, devices),
            cwd=run,
            on_line=lambda _, line: last.append(line),
        )
        channel = connect(ChannelSettings(target=f"unix:{socket}"), max_message_bytes=_MAX_MESSAGE_BYTES)
        try:
            await _wait_until_serving(channel, server, last)
            yield GateServer(server, channel, base, last)
        finally:
            server.kill()
            await channel.close()
            await server.wait()


def device_files(devices: Iterable[str]) -> tuple[Path, ...]:
    """What a process opens to use GPUs, of what this machine has."""
    gpus = [device.partition(":")[2] for device in devices if device.startswith("gpu:")]
    if not gpus:
        return ()
    wanted = [f"nvidia{number}" for number in gpus] + ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"]
    return tuple(path for name in wanted if (path := Path("/dev") / name).exists())


def _environment(home: Path, devices: Sequence[str]) -> dict[str, str]:
    gpus = ",".join(device.partition(":")[2] for device in devices if device.startswith("gpu:"))
    kept = ("PATH", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": str(home),
        "TMPDIR": str(home),
        "CUDA_VISIBLE_DEVICES": gpus or "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


async def _wait_until_serving(channel: grpc.aio.Channel, server: Confined, last: "deque[str]") -> None:
    health = health_pb2_grpc.HealthStub(channel)
    gone = asyncio.create_task(server.wait())
    serving = asyncio.create_task(_serving(health))
    try:
        await asyncio.wait((gone, serving), timeout=_START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            end = gone.result().message if gone.done() else f"it was not ready after {_START_TIMEOUT_S:.0f} s"
            raise AttemptFailed(FailureClass.INTERNAL, f"the model server did not start: {end}", "\n".join(last))
        serving.result()
    finally:
        gone.cancel()
        serving.cancel()


async def _serving(health: "health_pb2_grpc.HealthStub") -> None:
    """Returns once the server says SERVING; until it listens, calls wait for it."""
    while True:
        try:
            async for answer in health.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True):
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise AttemptFailed(
                    FailureClass.INTERNAL, f"the model server's health can't be asked: {error.details()}"
                ) from error


def _ended(end: End, what: str, said: str) -> Exception:
    if end.kind is EndKind.SIGNAL and end.exit.signal is not None and end.exit.signal.name == "SIGKILL":
        return AttemptFailed(
            FailureClass.SIGNAL,
            "the model server was killed by SIGKILL with the model in it, and not for a limit of its own: by somebody "
            "on the machine, or by the system because the whole machine ran out of memory",
            said,
        )
    return Refused(f"{what}: {end.message}", said)


def _reload_request(base: Path) -> bytes:
    """tensorflow.serving.ReloadConfigRequest, by its field numbers (apis/model_management.proto,
    config/model_server_config.proto): config.model_config_list.config {name, base_path, model_platform}."""
    model = _field(1, MODEL_NAME.encode()) + _field(2, os.fsencode(base)) + _field(4, b"tensorflow")
    return _field(1, _field(1, _field(1, model)))


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field of less than 16 KiB."""
    size = len(value)
    length = bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([number << 3 | 2]) + length + value
