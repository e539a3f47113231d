"""A small process that speaks what a model host needs of TensorFlow Serving, without TensorFlow.

It takes the flags of tensorflow_model_server, serves gRPC health, GetModelStatus and Predict on the socket, and does
what `behaviour.json` in the version's folder says:

    {"exit": 3, "say": "…"}   ends at once       {"answer": 0.5}          the value of every output
    {"health": false}         has no gRPC health {"crash_after": 2}       dies at the second prediction
    {"load_error": "…"}       never loads        {"slow_s": 1}            so long a prediction takes
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from modelyard.api.serving.v1 import predict_pb2, status_pb2, tensor_pb2


def begin(flags: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """The version and its behaviour; writes down how this process was started."""
    (folder,) = Path(flags["model_base_path"]).iterdir()
    files = sorted(path.name for path in folder.iterdir())
    record = {"pid": os.getpid(), "environment": dict(os.environ), "flags": flags, "files": files}
    Path("started.new").write_text(json.dumps(record))
    Path("started.new").rename("started.json")
    return int(folder.name), json.loads((folder / "behaviour.json").read_text())


async def serve(flags: dict[str, str]) -> int:
    version, behaviour = begin(flags)
    if "say" in behaviour:
        print(behaviour["say"], file=sys.stderr, flush=True)
    if "exit" in behaviour:
        return int(behaviour["exit"])
    predictions = 0

    async def predict(request: predict_pb2.PredictRequest, context: Any) -> predict_pb2.PredictResponse:
        nonlocal predictions
        predictions += 1
        if predictions == behaviour.get("crash_after"):
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(behaviour.get("slow_s", 0))
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(request.model_spec)
        rows = next(iter(request.inputs.values())).tensor_shape.dim[0].size
        output = response.outputs["probabilities"]
        output.dtype = tensor_pb2.DT_FLOAT
        for size in (rows, 2):
            output.tensor_shape.dim.add(size=size)
        output.float_val.extend([behaviour.get("answer", 0.5)] * rows * 2)
        return response

    async def status(request: status_pb2.GetModelStatusRequest, context: Any) -> status_pb2.GetModelStatusResponse:
        response = status_pb2.GetModelStatusResponse()
        seen = response.model_version_status.add(version=version, state=status_pb2.ModelVersionStatus.AVAILABLE)
        if "load_error" in behaviour:
            seen.state, seen.status.error_message = status_pb2.ModelVersionStatus.END, behaviour["load_error"]
        return response

    server = grpc.aio.server()
    health = HealthServicer()
    if behaviour.get("health", True):
        loads = "load_error" not in behaviour
        states = health_pb2.HealthCheckResponse
        await health.set("", states.SERVING if loads else states.NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
    methods: tuple[tuple[str, str, Any, Any], ...] = (
        ("PredictionService", "Predict", predict, predict_pb2.PredictRequest),
        ("ModelService", "GetModelStatus", status, status_pb2.GetModelStatusRequest),
    )
    for service, name, method, request in methods:
        handler: Any = grpc.unary_unary_rpc_method_handler(
            method, request.FromString, lambda message: message.SerializeToString()
        )
        generic = grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", {name: handler})
        server.add_generic_rpc_handlers((generic,))
    server.add_insecure_port(f"unix:{flags['grpc_socket_path']}")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(10)
    return 0


def install(folder: Path) -> Path:
    """A program that can be given as `model_server`: one file, for a sandbox shows it no other of ours."""
    program = folder / "tensorflow_model_server"
    program.write_text(f"#!{sys.executable}\n{Path(__file__).read_text()}")
    program.chmod(0o755)
    return program


def main() -> int:
    if "--version" in sys.argv:
        print("TensorFlow ModelServer: 0.0.0-tiny")
        return 0
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    return asyncio.run(serve(flags))


if __name__ == "__main__":
    sys.exit(main())
