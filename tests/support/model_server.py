"""A running model server of either front, seen through its socket."""

import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from modelyard.api.serving.v1 import model_pb2, predict_pb2, status_pb2
from tests.support.ports import free_port

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
        deadline = time.monotonic() + 150
        while self.process.poll() is None and time.monotonic() < deadline:
            # While TensorFlow is being imported nothing may answer.
            with contextlib.suppress(grpc.RpcError):
                if self.health() == health_pb2.HealthCheckResponse.SERVING:
                    return
            time.sleep(0.02)
        raise AssertionError(f"not serving: {self.log.read_text()}")

    def end(self) -> None:
        self.channel.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def launch(folder: Path, *flags: str, front: str, module: str = "modelyard.modelserver") -> Running:
    """A server on a socket in `folder`, perhaps not ready."""
    address, port, log = folder / "s.sock", free_port(), folder / "log"
    words = [f"--grpc_socket_path={address}", "--port=0", f"--rest_api_port={port}", f"--front={front}", *flags]
    with log.open("w") as stream:
        process = subprocess.Popen([sys.executable, "-m", module, *words], stderr=stream, stdout=stream, text=True)
    return Running(process, address, port, log)
