"""The golden answers that come with a version: `golden.npz`, written by `modelyard.job.export`.

An .npz file is a ZIP of .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html); its names
are `{signature}/inputs/{name}` and `{signature}/outputs/{name}`. Read without NumPy: an agent needs none otherwise.
"""

import ast
import json
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.sdk.tensors import values

DESCRIPTION_FILE = "modelyard.model.json"
DEFAULT_FILE = "golden.npz"
ROWS = 4
"""How many of the examples are asked."""
TOLERANCE = 1e-3
"""Between probabilities on this machine and on the one that trained: another processor may add in another order."""
_MAX_BYTES = 16 << 20

_TYPES = {
    "u1": tensor_pb2.DT_UINT8,
    "i1": tensor_pb2.DT_INT8,
    "u2": tensor_pb2.DT_UINT16,
    "i2": tensor_pb2.DT_INT16,
    "u4": tensor_pb2.DT_UINT32,
    "i4": tensor_pb2.DT_INT32,
    "u8": tensor_pb2.DT_UINT64,
    "i8": tensor_pb2.DT_INT64,
    "f2": tensor_pb2.DT_HALF,
    "f4": tensor_pb2.DT_FLOAT,
    "f8": tensor_pb2.DT_DOUBLE,
    "b1": tensor_pb2.DT_BOOL,
}


@dataclass(frozen=True, slots=True)
class Example:
    """A few real inputs of one signature, and the answers they had when the version was made."""

    signature: str
    inputs: Mapping[str, tensor_pb2.Tensor] = field(default_factory=dict)
    outputs: Mapping[str, tensor_pb2.Tensor] = field(default_factory=dict)

    def request(self, name: str, version: int) -> predict_pb2.PredictRequest:
        request = predict_pb2.PredictRequest(inputs=self.inputs)
        request.model_spec.name, request.model_spec.signature_name = name, self.signature
        request.model_spec.version.value = version
        return request

    def difference(self, response: predict_pb2.PredictResponse) -> str:
        """What is wrong with the answer, "" if nothing is."""
        for name, expected in self.outputs.items():
            if name not in response.outputs:
                return f"{self.signature} has no output {name}"
            found, wanted = values(response.outputs[name]), values(expected)
            if len(found) != len(wanted):
                return f"{self.signature}: {name} has {len(found)} values for {len(wanted)}"
            if expected.dtype in (tensor_pb2.DT_FLOAT, tensor_pb2.DT_DOUBLE):
                worst = max((abs(a - b) for a, b in zip(found, wanted, strict=True)), default=0.0)
                # Written so that NaN is not close to anything.
                if not worst <= TOLERANCE and not all(map(_close, found, wanted)):
                    return f"{self.signature}: {name} is not what it was when the version was made (by {worst:.2g})"
        return ""


def examples(folder: Path) -> list[Example]:
    """Those of the version in `folder`; none if it brought none that can be read here."""
    path = folder / _golden_name(folder)
    if not path.is_file() or path.stat().st_size > _MAX_BYTES:
        return []
    found: dict[str, Example] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                signature, _, rest = info.filename.removesuffix(".npy").partition("/")
                side, _, name = rest.partition("/")
                if side not in ("inputs", "outputs") or not name or info.file_size > _MAX_BYTES:
                    continue
                example = found.setdefault(signature, Example(signature, {}, {}))
                tensors = dict(getattr(example, side)) | {name: _tensor(archive.read(info))}
                kept = {"inputs": example.inputs, "outputs": example.outputs, side: tensors}
                found[signature] = Example(signature, **kept)
    except (zipfile.BadZipFile, ValueError, SyntaxError, KeyError, struct.error):
        return []
    return [example for example in found.values() if example.inputs]


def _golden_name(folder: Path) -> str:
    try:
        name = json.loads((folder / DESCRIPTION_FILE).read_bytes())["golden"]
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_FILE
    return name if isinstance(name, str) and "/" not in name and name not in ("", ".", "..") else DEFAULT_FILE


def _tensor(data: bytes) -> tensor_pb2.Tensor:
    """The first ROWS of an array."""
    if data[:6] != b"\x93NUMPY":
        raise ValueError("not an .npy file")
    length_format, start = ("<H", 8) if data[6] == 1 else ("<I", 8)
    (length,) = struct.unpack_from(length_format, data, start)
    body = start + struct.calcsize(length_format) + length
    header = ast.literal_eval(data[start + struct.calcsize(length_format) : body].decode("latin-1"))
    descr, shape = str(header["descr"]), tuple(int(size) for size in header["shape"])
    if header["fortran_order"] or not shape or descr[0] == ">":
        raise ValueError("only row-major arrays of little-endian values with a first dimension are read")
    rows = min(shape[0], ROWS)
    count = rows * math.prod(shape[1:])
    tensor = tensor_pb2.Tensor()
    for size in (rows, *shape[1:]):
        tensor.tensor_shape.dim.add(size=size)
    if descr[1] == "S":
        size = int(descr[2:])
        tensor.dtype = tensor_pb2.DT_STRING
        # NumPy pads with zeros and takes them off again: so does everybody who reads the array.
        tensor.string_val.extend(data[body + i * size : body + (i + 1) * size].rstrip(b"\0") for i in range(count))
        return tensor
    tensor.dtype = _TYPES[descr[1:]]
    size = int(descr[2:])
    tensor.tensor_content = data[body : body + count * size]
    if len(tensor.tensor_content) != count * size:
        raise ValueError("the array is cut off")
    return tensor


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
