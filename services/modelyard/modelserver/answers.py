"""Writes PredictResponses around slices of one buffer, byte for byte what protobuf writes.

Only the length of an answer depends on the request, not its fields: what stands before and after the values is
made once for each number of rows.
"""

import numpy as np

from modelyard.api.serving.v1 import tensor_pb2
from modelyard.modelserver.batching import Outcome
from modelyard.modelserver.predict import response
from modelyard.modelserver.servable import Servable, Signature

_VALUES_TAG: dict[int, bytes] = {tensor_pb2.DT_FLOAT: b"\x2a", tensor_pb2.DT_DOUBLE: b"\x32"}
"""float_val and double_val, packed: the bytes of the array as they are."""


class AnswerWriter:
    """For one signature whose outputs all are float or double."""

    def __init__(self, servable: Servable, signature: Signature) -> None:
        self._servable = servable
        self._signature = signature
        self._names = sorted(signature.outputs)
        self._spec = response(servable, signature, {}).SerializeToString()
        self._around: dict[tuple[int, tuple[tuple[int, ...], ...]], list[tuple[bytes, int]]] = {}

    @staticmethod
    def fits(signature: Signature) -> bool:
        return bool(signature.outputs) and all(spec.dtype in _VALUES_TAG for spec in signature.outputs.values())

    def write(self, outcome: Outcome, start: int, rows: int) -> bytes:
        shapes = tuple(outcome.arrays[name].shape[1:] for name in self._names)
        key = (rows, shapes)
        around = self._around.get(key)
        if around is None:
            around = self._around[key] = [
                self._before(name, rows, shape) for name, shape in zip(self._names, shapes, strict=True)
            ]
        pieces: list[bytes | memoryview] = []
        for name, (before, row_bytes) in zip(self._names, around, strict=True):
            pieces += (before, outcome.buffers.get(name, b"")[start * row_bytes : (start + rows) * row_bytes])
        pieces.append(self._spec)
        return b"".join(pieces)

    def _before(self, name: str, rows: int, shape: tuple[int, ...]) -> tuple[bytes, int]:
        """What stands before the values of an output, and the bytes of one of its rows."""
        dtype = self._signature.outputs[name].dtype
        row_bytes = int(np.prod(shape, dtype=np.int64)) * (4 if dtype == tensor_pb2.DT_FLOAT else 8)
        dims = [tensor_pb2.TensorShape.Dim(size=size) for size in (rows, *shape)]
        head = tensor_pb2.Tensor(dtype=dtype, tensor_shape=tensor_pb2.TensorShape(dim=dims)).SerializeToString()  # type: ignore[arg-type]
        values = _VALUES_TAG[dtype] + _varint(rows * row_bytes)
        tensor = b"\x12" + _varint(len(head) + len(values) + rows * row_bytes) + head + values
        key = b"\x0a" + _varint(len(name.encode())) + name.encode()
        return b"\x0a" + _varint(len(key) + len(tensor) + rows * row_bytes) + key + tensor, row_bytes


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
