"""A running model server of either front, and folders of models for it."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from modelyard.api.serving.v1 import model_pb2, predict_pb2, status_pb2, tensor_pb2

FRONTS = ("aio", "pyvoy")


@dataclass
class Running:
    process: subprocess.Popen[str]
    socket: Path
    rest_port: int
    log: Path
    channel: grpc.Channel = field(init=False)

    def __post_init__(self) -> None:
        self.channel = grpc.insecure_channel(
            f"unix:{self.socket}",
            options=[("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)],
        )

    def call(self, path: str, body: bytes, **more: Any) -> bytes:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(path, None, None)
        answer: bytes = method(body, timeout=more.pop("timeout", 20), **more)
        return answer

    def predict(self, request: predict_pb2.PredictRequest, **more: Any) -> predict_pb2.PredictResponse:
        body = request.SerializeToString()
        return predict_pb2.PredictResponse.FromString(
            self.call("/tensorflow.serving.PredictionService/Predict", body, **more)
        )

    def status(self, name: str, version: int | None = None) -> status_pb2.GetModelStatusResponse:
        spec = model_pb2.ModelSpec(name=name)
        if version is not None:
            spec.version.value = version
        body = status_pb2.GetModelStatusRequest(model_spec=spec).SerializeToString()
        return status_pb2.GetModelStatusResponse.FromString(
            self.call("/tensorflow.serving.ModelService/GetModelStatus", body)
        )

    def health(self) -> int:
        answer = self.call("/grpc.health.v1.Health/Check", b"", wait_for_ready=True)
        status: int = health_pb2.HealthCheckResponse.FromString(answer).status
        return status

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.health() == health_pb2.HealthCheckResponse.SERVING:
                return
            time.sleep(0.02)
        raise AssertionError(f"not serving: {self.log.read_text()}")

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


Start = Callable[..., Running]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_version(base: Path, version: int, **document: object) -> Path:
    folder = base / str(version)
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps(document))
    return folder


def image(rows: int, value: int = 1, name: str = "digits", **spec: Any) -> predict_pb2.PredictRequest:
    return predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name=name, **spec),
        inputs={"image": tensor(tensor_pb2.DT_UINT8, (rows, 2, 2, 1), tensor_content=bytes([value] * 4 * rows))},
    )


def tensor(dtype: Any, shape: tuple[int, ...], **values: Any) -> tensor_pb2.Tensor:
    dims = [tensor_pb2.TensorShape.Dim(size=size) for size in shape]
    return tensor_pb2.Tensor(dtype=dtype, tensor_shape=tensor_pb2.TensorShape(dim=dims), **values)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers; they end with the module."""
    running: list[Running] = []

    def start(*flags: str, front: str, ready: bool = True) -> Running:
        folder = tmp_path_factory.mktemp("server")
        address, port, log = folder / "s.sock", free_port(), folder / "log"
        words = [f"--grpc_socket_path={address}", "--port=0", f"--rest_api_port={port}", f"--front={front}", *flags]
        with log.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.contract.modelserver.fake_server", *words],
                stderr=stream,
                stdout=stream,
                text=True,
            )
        server = Running(process, address, port, log)
        running.append(server)
        if ready:
            server.wait_ready()
        return server

    yield start
    for server in running:
        server.channel.close()
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)
