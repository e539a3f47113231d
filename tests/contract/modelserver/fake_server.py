"""The model server with models made of NumPy: `python -m tests.contract.modelserver.fake_server`, flags as usual.

A version folder holds `model.json`: {"bias": number added to every answer, "refuse": why it cannot be served,
"broken": how many loads fail, "until": a file whose appearance a load waits for}.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from modelyard.api.serving.v1 import metadata_pb2
from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.foundation.errors import InvalidArgument
from modelyard.modelserver.__main__ import main
from modelyard.modelserver.errors import CannotServe
from modelyard.modelserver.flags import Options
from modelyard.modelserver.fronts.inside import Inside
from modelyard.modelserver.models import Load
from modelyard.modelserver.servable import Arrays, Servable, Signature, TensorSpec

APP = "tests.contract.modelserver.fake_server:app"
SLOW = "a slow call has begun"
"""In the log, once the signature `slow` is at work."""
_attempts: dict[Path, int] = {}


def prepare(options: Options) -> Load:
    return load


def load(name: str, version: int, folder: Path) -> Servable:
    path = folder / "model.json"
    if not path.exists():
        raise CannotServe(f"{folder} is not a model: it has no model.json")
    document = json.loads(path.read_text())
    if "refuse" in document:
        raise CannotServe(document["refuse"])
    while "until" in document and not Path(document["until"]).exists():
        time.sleep(0.01)
    _attempts[folder] = _attempts.get(folder, 0) + 1
    if _attempts[folder] <= document.get("broken", 0):
        raise OSError("the disk coughed")
    return servable(name, version, document.get("bias", 0.0))


def servable(name: str, version: int, bias: float = 0.0) -> Servable:
    def sums(inputs: Arrays) -> Arrays:
        flat = inputs["image"].reshape(len(inputs["image"]), -1).astype(np.float32)
        return {"sums": np.stack([flat.sum(1) + bias, flat.max(1), flat[:, 0]], axis=1)}

    def encoded(inputs: Arrays) -> Arrays:
        texts = list(inputs["image_bytes"])
        if any(text.startswith(b"bad") for text in texts):
            raise InvalidArgument("signature encoded: Unknown image file format")
        return {
            "label": np.array([b"<" + text + b">" for text in texts], object),
            "size": np.array([len(text) for text in texts], np.float32),
        }

    def two(inputs: Arrays) -> Arrays:
        return {"sum": inputs["a"] + inputs["b"], "product": (inputs["a"] * inputs["b"]).astype(np.float64)}

    def scalar(inputs: Arrays) -> Arrays:
        return {"y": np.asarray(inputs["x"] * 2)}

    def slow(inputs: Arrays) -> Arrays:
        print(SLOW, file=sys.stderr, flush=True)
        time.sleep(float(inputs["seconds"].max()))
        return {"slept": inputs["seconds"]}

    floats, rows = pb.DT_FLOAT, (-1,)
    signatures = [
        Signature(
            "serving_default",
            "tensorflow/serving/predict",
            {"image": TensorSpec(pb.DT_UINT8, (-1, 2, 2, 1))},
            {"sums": TensorSpec(floats, (-1, 3))},
            {},
            sums,
        ),
        Signature(
            "encoded",
            "tensorflow/serving/predict",
            {"image_bytes": TensorSpec(pb.DT_STRING, rows)},
            {"label": TensorSpec(pb.DT_STRING, rows), "size": TensorSpec(floats, rows)},
            {},
            encoded,
        ),
        Signature(
            "two",
            "tensorflow/serving/predict",
            {"a": TensorSpec(floats, rows), "b": TensorSpec(floats, rows)},
            {"sum": TensorSpec(floats, rows), "product": TensorSpec(pb.DT_DOUBLE, rows)},
            {"b": np.ones(1, np.float32)},
            two,
        ),
        Signature(
            "scalar",
            "tensorflow/serving/predict",
            {"x": TensorSpec(pb.DT_INT64, ())},
            {"y": TensorSpec(pb.DT_INT64, ())},
            {},
            scalar,
        ),
        Signature(
            "slow",
            "tensorflow/serving/predict",
            {"seconds": TensorSpec(floats, rows)},
            {"slept": TensorSpec(floats, rows)},
            {},
            slow,
        ),
    ]
    described = metadata_pb2.SignatureDefMap()
    for signature in signatures:
        definition = described.signature_def[signature.name]
        definition.method_name = signature.method
        for key, spec in signature.inputs.items():
            definition.inputs[key].dtype = spec.dtype  # type: ignore[assignment]
    return Servable(name, version, {one.name: one for one in signatures}, described.SerializeToString())


app = Inside(prepare)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], prepare, APP))
