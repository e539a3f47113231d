"""TensorFlow Serving's warm-up file: a TFRecord of tensorflow.serving.PredictionLog, one request a signature.

The three messages around TensorProto are written by their field numbers (tensorflow_serving/apis/prediction_log.proto,
predict.proto, model.proto), so that a training process does not need tensorflow-serving-api.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

WARMUP_FILE = Path("assets.extra/tf_serving_warmup_requests")


def write(folder: Path, requests: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
    """`requests`: signature -> input name -> value."""
    (folder / WARMUP_FILE).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as out:
        for signature, inputs in requests.items():
            out.write(_prediction_log(signature, inputs))


def _prediction_log(signature: str, inputs: Mapping[str, NDArray[Any]]) -> bytes:
    model_spec = _field(1, b"model") + _field(3, signature.encode())
    tensors = b"".join(
        _field(2, _field(1, name.encode()) + _field(2, tf.make_tensor_proto(value).SerializeToString()))
        for name, value in inputs.items()
    )
    request = _field(1, model_spec) + tensors
    predict_log = _field(1, request)
    return _field(6, predict_log)


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
