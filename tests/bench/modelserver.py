"""What the embedded model server answers in a second: `python -m tests.bench.modelserver`.

The founding network, one image a request, 32 in flight (h2load over a unix socket). Interleaved: the server inside
Envoy, our own grpc.aio front of the same server, and a bare grpc.aio echo of the same bytes. Medians, with the smallest
and the largest in brackets; CPU per request is from /proc.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.api.serving.v1 import model_pb2, predict_pb2, tensor_pb2
from tests.bench.rows import Row, at_least_times
from tests.support.model_server import Running, launch

PREDICT = "/tensorflow.serving.PredictionService/Predict"
CONNECTIONS, STREAMS = 8, 4
ECHO_TARGET, AIO_TARGET = 0.7, 1.8


@dataclass(slots=True)
class Contender:
    name: str
    socket: Path
    pid: int
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def load(self, body: Path, calls: int) -> None:
        before = cpu_s(self.pid)
        rate = h2load(self.socket, body, calls)
        self.rates.append(rate)
        self.cpu_us.append((cpu_s(self.pid) - before) / calls * 1e6)


def measure(pairs: int, calls: int = 8_000, flags: Sequence[str] = ()) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        me = [sys.executable, "-m", "tests.bench.modelserver"]
        subprocess.run([*me, "--export", str(folder / "models/1")], check=True, stderr=subprocess.DEVNULL)
        body = folder / "body"
        message = request().SerializeToString()
        body.write_bytes(b"\0" + len(message).to_bytes(4) + message)
        drained: dict[str, Any] = {}
        with contextlib.ExitStack() as stack:
            contenders = []
            for front in ("pyvoy", "aio"):
                running = stack.enter_context(server(folder, front, flags, drained))
                contenders.append(Contender(front, running.socket, running.process.pid))
            contenders.append(stack.enter_context(echo(folder)))
            for contender in contenders:
                h2load(contender.socket, body, calls // 4)
            for _ in range(pairs):
                for contender in contenders:
                    contender.load(body, calls)
    ours, aio, bare = contenders
    for front, event in drained.items():
        # h2load counts HTTP answers: an error of gRPC is one too.
        if event["rows"] != pairs * calls + calls // 4:
            raise RuntimeError(f"{front} answered {event['rows']} predictions, not what h2load counted")
    notes: dict[str, Any] = {
        "mean rows a batch": {front: event["mean_batch_rows"] for front, event in drained.items()},
        "CPU us a request": {one.name: round(statistics.median(one.cpu_us)) for one in contenders},
    }
    what = "model server, predictions"
    return [
        Row(
            f"{what}, to an echo",
            ours.rates,
            "/s",
            bare.rates,
            "bare grpc.aio echo",
            at_least_times(ECHO_TARGET),
            notes,
        ),
        Row(f"{what}, to grpc.aio", ours.rates, "/s", aio.rates, "grpc.aio front", at_least_times(AIO_TARGET)),
    ]


@contextlib.contextmanager
def server(folder: Path, front: str, flags: Sequence[str], drained: dict[str, Any]) -> Iterator[Running]:
    home = folder / front
    home.mkdir()
    base = [f"--model_base_path={folder}/models", "--model_name=digits", "--enable_batching"]
    running = launch(home, *base, "--file_system_poll_wait_seconds=0", *flags, front=front)
    try:
        running.wait_ready()
        yield running
        running.process.terminate()
        running.process.wait(30)
        for line in running.log.read_text().splitlines():
            if line.startswith("{") and (event := json.loads(line))["event"] == "drained":
                drained[front] = event
    finally:
        running.end()


@contextlib.contextmanager
def echo(folder: Path) -> Iterator[Contender]:
    socket = folder / "echo.sock"
    command = [sys.executable, "-m", "tests.bench.proxy_peers", "echo", f"unix:{socket}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield Contender("echo", socket, process.pid)
        finally:
            process.terminate()


def h2load(socket: Path, body: Path, calls: int) -> float:
    """Answers a second. Raises RuntimeError if one was not 200."""
    command = ["h2load", "-n", str(calls), "-c", str(CONNECTIONS), "-m", str(STREAMS), "-d", str(body)]
    command += ["-B", f"unix:{socket}", "-H", "content-type: application/grpc", "-H", "te: trailers"]
    output = subprocess.run([*command, f"http://localhost{PREDICT}"], capture_output=True, text=True, check=True)
    found = re.search(r"finished in .*?, ([0-9.]+) req/s", output.stdout)
    if found is None or " 0 failed, 0 errored, 0 timeout" not in output.stdout:
        raise RuntimeError(f"h2load failed:\n{output.stdout}")
    return float(found[1])


def request() -> predict_pb2.PredictRequest:
    image = np.random.default_rng(1).integers(0, 256, 784).astype(np.uint8)
    dims = [tensor_pb2.TensorShape.Dim(size=size) for size in (1, 28, 28, 1)]
    tensor = tensor_pb2.Tensor(
        dtype=tensor_pb2.DT_UINT8, tensor_shape=tensor_pb2.TensorShape(dim=dims), tensor_content=image.tobytes()
    )
    return predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits"), inputs={"image": tensor})


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children that live."""
    threads = list(Path(f"/proc/{pid}/task").iterdir())
    spent = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return spent + sum(cpu_s(int(child)) for child in children)


def export(folder: Path) -> None:
    """The founding network, untrained: speed does not depend on the weights."""
    import keras
    import tensorflow as tf

    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )

    def serve(image: Any) -> Any:
        return {"probabilities": network(tf.cast(image, tf.float32) / 255.0, training=False)}

    module = tf.Module()
    module.network = network
    signature = tf.function(serve, input_signature=[tf.TensorSpec([None, 28, 28, 1], tf.uint8, name="image")])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": signature})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--export", type=Path, help="only write the SavedModel")
    parser.add_argument("flags", nargs="*", help="further flags of the server, after --")
    arguments = parser.parse_args()
    if arguments.export:
        export(arguments.export)
        return 0
    if shutil.which("h2load") is None:
        print("h2load is missing: apt-get install nghttp2-client", file=sys.stderr)
        return 2
    found = measure(arguments.pairs, flags=arguments.flags)
    print(f"model server, {os.cpu_count()} cores, {arguments.pairs} interleaved pairs")
    for row in found:
        print(f"  {row.what}: {shown(row.measured)}{row.unit}, {row.floor_is} {shown(row.floor)}{row.unit}")
        assert row.target is not None
        print(f"    ratio {shown(row.ratios)}, promised {row.target.text}: {'met' if row.is_met else 'missed'}")
        for name, value in row.notes.items():
            print(f"    {name}: {', '.join(f'{key} {number:g}' for key, number in value.items())}")
    return 0 if all(row.is_met for row in found) else 1


def shown(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.4g} [{min(values):.4g} {max(values):.4g}]"


if __name__ == "__main__":
    sys.exit(main())
