"""The first gate of a trained model: in a model server it answers as in training, row by row as in a batch."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import zipfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc
from numpy.typing import NDArray

from modelyard.api.serving.v1 import predict_pb2
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.sync.children import Child, Exit
from modelyard.sdk.tensors import encode, shape, values
from modelyard.trainer.domain import AttemptFailed, FailureClass

GOLDEN_FILE = "golden.npz"
FOLDER_PREFIX = "modelyard-gate-"
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-4, 1e-5
"""Kernels of another batch size add in another order; a probability moves by about 1e-7."""
_START_TIMEOUT_S = 180.0
_CALL_TIMEOUT_S = 60.0
_MODEL_NAME = "gate"
_MAX_MESSAGE_BYTES = 64 << 20

Answers = Mapping[str, NDArray[Any]]
Predict = Callable[[str, Answers], Any]


@dataclass(frozen=True, slots=True)
class GateResult:
    """One check and what was seen."""

    kind: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A model that may become a version."""

    gates: tuple[GateResult, ...]
    row_wise: bool
    """Its answers do not depend on what else is in a batch."""


async def check_model(folder: Path, devices: Sequence[str] = ("cpu",)) -> Checked:
    """Load the SavedModel in `folder` on the attempt's own devices and compare.

    Raises AttemptFailed: EXPORT_INVALID when the model is at fault, else a class that is tried again.
    """
    golden = await asyncio.to_thread(_read_golden, folder / GOLDEN_FILE)
    async with _model_server(folder, devices) as predict:
        gates = [GateResult("load", True, "it loads in the model server")]
        row_wise = True
        for signature, (inputs, outputs) in golden.items():
            count = len(next(iter(inputs.values())))
            whole = await predict(signature, inputs)
            worst = _worst_difference(whole, outputs, f"signature {signature!r}")
            gates.append(
                GateResult("parity", True, f"{signature}: {count} real examples, largest difference {worst:.2g}")
            )
            single = [await predict(signature, {k: v[i : i + 1] for k, v in inputs.items()}) for i in range(count)]
            rows = {name: np.concatenate([answer[name] for answer in single]) for name in whole}
            same = all(_close(rows[name], whole[name]) for name in whole)
            gates.append(
                GateResult(
                    "row_wise", same, f"{signature}: {'the same' if same else 'not the same'} row by row as in a batch"
                )
            )
            row_wise = row_wise and same
    return Checked(tuple(gates), row_wise)


def _read_golden(path: Path) -> dict[str, tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]]:
    """Signature -> inputs, outputs; keys are `{signature}/inputs/{name}` and `{signature}/outputs/{name}`."""
    golden: dict[str, tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]] = {}
    try:
        with zipfile.ZipFile(path) as members:
            size = sum(member.file_size for member in members.infolist())
        if size > _MAX_MESSAGE_BYTES:
            raise ValueError(f"they are {size} bytes large; {_MAX_MESSAGE_BYTES} are allowed")
        with np.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                signature, _, rest = key.partition("/")
                side, _, name = rest.partition("/")
                if side in ("inputs", "outputs"):
                    golden.setdefault(signature, ({}, {}))[side == "outputs"][name] = arrays[key]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise AttemptFailed(
            FailureClass.EXPORT_INVALID, f"the model's golden answers can't be read: {error}"
        ) from error
    if not golden or not all(inputs and outputs for inputs, outputs in golden.values()):
        raise AttemptFailed(FailureClass.EXPORT_INVALID, "the model has no golden answers to compare with")
    return golden


def _worst_difference(got: Answers, wanted: Answers, what: str) -> float:
    worst = 0.0
    for name, array in wanted.items():
        if name not in got or got[name].shape != array.shape:
            raise AttemptFailed(FailureClass.EXPORT_INVALID, f"{what}: output {name!r} is missing or has another shape")
        if not _close(got[name], array):
            raise AttemptFailed(
                FailureClass.EXPORT_INVALID, f"{what}: once loaded, the model answers otherwise in output {name!r}"
            )
        if array.dtype.kind == "f" and array.size:
            worst = max(worst, float(np.abs(got[name] - array).max()))
    return worst


def _close(a: NDArray[Any], b: NDArray[Any]) -> bool:
    if a.dtype.kind == "f":
        return bool(np.allclose(a, b, rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE, equal_nan=False))
    return bool(np.array_equal(a, b))


@contextlib.asynccontextmanager
async def _model_server(model: Path, devices: Sequence[str]) -> AsyncIterator[Predict]:
    """A model server that serves `model` alone, on a socket that nobody else can open."""
    last = deque[str](maxlen=20)
    target = await asyncio.to_thread(model.resolve)
    # Not in the attempt's own folder, whose path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX) as name:
        folder = Path(name)
        (folder / "model").mkdir()
        (folder / "model" / "1").symlink_to(target, target_is_directory=True)
        socket = folder / "server.sock"
        server = await Child.start(
            [
                sys.executable,
                "-m",
                "modelyard.modelserver",
                "--port=0",
                f"--grpc_socket_path={socket}",
                f"--model_name={_MODEL_NAME}",
                f"--model_base_path={folder / 'model'}",
                "--file_system_poll_wait_seconds=0",
                "--front=aio",
            ],
            environment=_environment(name, devices),
            cwd=folder,
            on_line=lambda _, line: last.append(line),
        )
        channel = connect(ChannelSettings(target=f"unix:{socket}"), max_message_bytes=_MAX_MESSAGE_BYTES)
        try:
            await _wait_until_serving(channel, server, last)
            yield _predictor(channel)
        finally:
            server.kill()
            await channel.close()
            await server.wait()


def _environment(home: str, devices: Sequence[str]) -> dict[str, str]:
    gpus = ",".join(device.partition(":")[2] for device in devices if device.startswith("gpu:"))
    kept = ("PATH", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": home,
        "TMPDIR": home,
        "CUDA_VISIBLE_DEVICES": gpus or "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


async def _wait_until_serving(channel: grpc.aio.Channel, server: Child, last: "deque[str]") -> None:
    health = health_pb2_grpc.HealthStub(channel)
    gone = asyncio.create_task(server.wait())
    serving = asyncio.create_task(_serving(health))
    try:
        await asyncio.wait((gone, serving), timeout=_START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            raise _not_loaded(gone.result() if gone.done() else None, "\n".join(last))
        serving.result()
    finally:
        gone.cancel()
        serving.cancel()


def _not_loaded(ended: Exit | None, last: str) -> AttemptFailed:
    if ended is None:
        return AttemptFailed(
            FailureClass.INTERNAL, f"the model server was not ready after {_START_TIMEOUT_S:.0f} s", last
        )
    if ended.signal is signal.SIGKILL:
        return AttemptFailed(
            FailureClass.HOST_OOM,
            "the model server was killed by the system while it loaded the exported model, which happens when the "
            "machine runs out of memory",
            last,
        )
    return AttemptFailed(
        FailureClass.EXPORT_INVALID, f"the exported model does not load in a model server ({ended})", last
    )


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


def _predictor(channel: grpc.aio.Channel) -> Predict:
    call = channel.unary_unary(
        "/tensorflow.serving.PredictionService/Predict",
        request_serializer=predict_pb2.PredictRequest.SerializeToString,
        response_deserializer=predict_pb2.PredictResponse.FromString,
    )

    async def predict(signature: str, inputs: Answers) -> dict[str, NDArray[Any]]:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = _MODEL_NAME, signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(encode(array.tolist() if array.dtype.kind == "S" else array))
        try:
            response = await call(request, timeout=_CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            away = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            raise AttemptFailed(
                FailureClass.INTERNAL if away else FailureClass.EXPORT_INVALID,
                f"the loaded model can't be asked by signature {signature!r}: {error.details()}",
            ) from error
        return {name: np.array(values(tensor)).reshape(shape(tensor)) for name, tensor in response.outputs.items()}

    return predict
