"""What `modelyard predict --file` answers in a second: `python -m tests.bench.predicting`.

20,000 lines of text, one example each, JSON out, against a plain loop of the same calls over the same channel options:
as many requests in flight, a request a line, the answer's two tensors read. Interleaved pairs; the server is a process
of its own with models of NumPy behind the model server's checks. One model lets rows share requests, the other does
not: its rows depend on each other, so both ask line by line.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
from typer.testing import CliRunner

from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.cli.__main__ import app
from modelyard.cli.globals import hoist
from modelyard.sdk.predicting.asking import IN_FLIGHT
from tests.bench.rows import Row, at_least_times
from tests.support.asked_models import Asked, answering, reviews

TARGET = 0.8
LINES = 20_000
PREDICT = "/tensorflow.serving.PredictionService/Predict"


def measure(pairs: int, lines: int = LINES) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name, served(Path(name)) as address:
        file = Path(name, "lines.txt")
        file.write_text("".join(f"line {number} is fine{'!' * (number % 4)}\n" for number in range(lines)))
        rows = []
        for deployment, what in (("reviews", "rows share requests"), ("alone", "a request a row")):
            ours: list[float] = []
            floor: list[float] = []
            for _ in range(pairs):
                floor.append(lines / bare(address, deployment, file))
                ours.append(lines / asked(address, deployment, file, lines))
            rows.append(Row(f"predict --file, {what}", ours, "rows/s", floor, "bare gRPC loop", at_least_times(TARGET)))
    return rows


def asked(address: str, deployment: str, file: Path, lines: int) -> float:
    """Seconds of the command, its start-up left out."""
    arguments = ["predict", deployment, "--file", str(file), "-o", "json", "--server", address]
    began = time.perf_counter()
    done = CliRunner().invoke(app, hoist(arguments), env={"MODELYARD_TOKEN": "t"})
    seconds = time.perf_counter() - began
    if done.exit_code or done.stdout.count('"outputs"') != lines:
        raise RuntimeError(f"predict --file ended with {done.exit_code}: {done.output[-500:]}")
    return seconds


def bare(address: str, deployment: str, file: Path) -> float:
    """Seconds of a loop that sends a line a request and reads the answers in their order."""
    with grpc.insecure_channel(address) as channel, file.open() as lines:
        predict: Any = channel.unary_unary(
            PREDICT,
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        began = time.perf_counter()
        waiting: deque[Any] = deque()
        for line in lines:
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = deployment, "serving_default"
            tensor = request.inputs["text"]
            tensor.dtype = tensor_pb2.DT_STRING
            tensor.tensor_shape.dim.add(size=1)
            tensor.string_val.append(line.rstrip("\n").encode())
            waiting.append(predict.future(request, timeout=60))
            if len(waiting) >= IN_FLIGHT:
                _read(waiting.popleft().result())
        while waiting:
            _read(waiting.popleft().result())
        return time.perf_counter() - began


def _read(answer: predict_pb2.PredictResponse) -> tuple[bytes, list[float]]:
    return answer.outputs["label"].string_val[0], list(answer.outputs["probabilities"].float_val)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the server's process."""
    address = f"unix:{folder}/socket"
    command = [sys.executable, "-m", "tests.bench.predicting", address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield address
        finally:
            process.terminate()
            process.wait(30)


def _models() -> tuple[Asked, Asked]:
    together, alone = reviews(), reviews(row_wise=False)
    return together, replace(alone, servable=replace(alone.servable, name="alone"))


async def _serve(address: str) -> None:
    async with answering(address, *_models(), keep_requests=False):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_serve(sys.argv[1]))
    else:
        print("\n".join(row.line() for row in measure(7)))
