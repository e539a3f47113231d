"""The golden answers that come with a version: `golden.npz`, written by `modelyard.job.export`.

An .npz file is a ZIP of .npy files (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html); its names
are `{signature}/inputs/{name}` and `{signature}/outputs/{name}`. Read without NumPy: an agent needs none otherwise.
"""

import ast
import json
import math
import struct
import sys
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.modelhost.domain import CannotServe
from modelyard.sdk.tensors import narrowed, values

DESCRIPTION_FILE = "modelyard.model.json"
DEFAULT_FILE = "golden.npz"
ROWS = 4
"""How many of the examples are asked, where they do not depend on each other."""
TOLERANCE = 1e-3
"""Between probabilities on this machine and on the one that trained: another processor may add in another order."""
_COARSE = {
    tensor_pb2.DT_HALF: 1e-2,
    tensor_pb2.DT_BFLOAT16: 3e-2,
    tensor_pb2.DT_FLOAT8_E4M3FN: 0.13,
    tensor_pb2.DT_FLOAT8_E5M2: 0.26,
}
"""Of numbers with eleven bits and fewer, the last of which have neighbours that far apart."""
_NARROW = {
    name: tensor_pb2.DataType.Value(f"DT_{name.upper()}") for name in ("bfloat16", "float8_e5m2", "float8_e4m3fn")
}
"""As the version's description has them; they lie in the file as float32."""
_MAX_BYTES = 64 << 20
"""Of all arrays together: as much as one request may have."""
_MAX_HEADER_BYTES = 10_000
"""NumPy takes no longer ones either."""

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
    "c8": tensor_pb2.DT_COMPLEX64,
    "c16": tensor_pb2.DT_COMPLEX128,
}
_TOLERANCES: Mapping[int, float] = {
    tensor_pb2.DT_FLOAT: TOLERANCE,
    tensor_pb2.DT_DOUBLE: TOLERANCE,
    tensor_pb2.DT_COMPLEX64: TOLERANCE,
    tensor_pb2.DT_COMPLEX128: TOLERANCE,
}
_UNREADABLE = (
    *(OSError, EOFError, ValueError, SyntaxError, KeyError, IndexError, TypeError, RuntimeError, MemoryError),
    *(OverflowError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile),
)


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
            found, wanted = _parts(response.outputs[name]), _parts(expected)
            if len(found) != len(wanted):
                return f"{self.signature}: {name} has {len(found)} values for {len(wanted)}"
            other = f"{self.signature}: {name} is not what it was when the version was made"
            if tolerance := _COARSE.get(response.outputs[name].dtype) or _TOLERANCES.get(expected.dtype):
                # Equal first: infinities have no difference. Written so that NaN is not close to anything.
                gaps = [abs(a - b) for a, b in zip(found, wanted, strict=True) if a != b]
                worst = max(gaps, default=0.0)
                near = all(
                    math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance) for a, b in zip(found, wanted, strict=True)
                )
                if not worst <= tolerance and not near:
                    return f"{other} (by {worst:.2g})"
            elif not self._answers_floats and found != wanted:
                return other
        return ""

    @property
    def _answers_floats(self) -> bool:
        """Whether there are numbers that may move a little. A name or a number that was chosen by them may be another
        then, where two were as good as each other; without them, all has to be the same."""
        return any(expected.dtype in _TOLERANCES for expected in self.outputs.values())


def examples(folder: Path, *, row_wise: bool = False) -> list[Example]:
    """Those of the version in `folder`, of each signature that can be asked from here; none if it brought none.

    With `row_wise`, the first rows of each. Raises CannotServe for a file that is damaged.
    """
    described = _described(folder)
    path = folder / _golden_name(described)
    if not path.is_file():
        return []
    found: dict[str, dict[str, dict[str, tensor_pb2.Tensor]]] = {}
    foreign: set[str] = set()
    left = _MAX_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                left -= info.file_size
                if left < 0:
                    raise ValueError(f"they are larger than {_MAX_BYTES >> 20} MiB")
                signature, side, name = _key(info.filename.removesuffix(".npy"))
                if not side:
                    continue
                narrow = _narrow(described, signature, name) if side == "inputs" else None
                tensor = _tensor(archive.read(info), ROWS if row_wise else sys.maxsize, narrow)
                if tensor is not None:
                    found.setdefault(signature, {"inputs": {}, "outputs": {}})[side][name] = tensor
                elif side == "inputs":
                    foreign.add(signature)
    except _UNREADABLE as error:
        raise CannotServe(f"the version's golden answers, {path.name}, can't be read: {error}") from error
    return [Example(name, **sides) for name, sides in found.items() if name not in foreign and sides["outputs"]]


def _key(text: str) -> tuple[str, str, str]:
    """Signature, side and name, which may have slashes; all empty for what is no golden answer."""
    for side in ("inputs", "outputs"):
        signature, found, name = text.partition(f"/{side}/")
        if found and name:
            return signature, side, name
    return "", "", ""


def _parts(tensor: tensor_pb2.Tensor) -> list[Any]:
    """Its values; of complex ones both parts, of strings what NumPy's own keep of them."""
    found = values(tensor)
    if any(isinstance(value, complex) for value in found[:1]):
        return [part for value in found for part in (value.real, value.imag)]
    return [value.rstrip(b"\0") if isinstance(value, bytes) else value for value in found]


def _described(folder: Path) -> Any:
    """What the version says of itself; whatever it is."""
    try:
        return json.loads((folder / DESCRIPTION_FILE).read_bytes())
    except (OSError, ValueError):
        return None


def _narrow(described: Any, signature: str, name: str) -> int | None:
    """The type of an input that lies in the file as float32; None for all others."""
    try:
        return _NARROW.get(described["signatures"][signature]["inputs"][name]["dtype"])
    except (KeyError, TypeError):
        return None


def _golden_name(described: Any) -> str:
    name = described.get("golden") if isinstance(described, dict) else None
    return name if isinstance(name, str) and "/" not in name and name not in ("", ".", "..") else DEFAULT_FILE


def _tensor(data: bytes, most_rows: int, narrow: int | None) -> tensor_pb2.Tensor | None:
    """At most so many rows of an array, which become of type `narrow`; None for a type that is not read here."""
    if data[:6] != b"\x93NUMPY":
        raise ValueError("not an .npy file")
    length_format, start = ("<H", 8) if data[6] == 1 else ("<I", 8)
    (length,) = struct.unpack_from(length_format, data, start)
    body = start + struct.calcsize(length_format) + length
    if length > _MAX_HEADER_BYTES:
        raise ValueError(f"an array with a header of {length} bytes")
    header = ast.literal_eval(data[start + struct.calcsize(length_format) : body].decode("latin-1").strip())
    descr, shape = header["descr"], tuple(int(size) for size in header["shape"])
    if not isinstance(descr, str) or header["fortran_order"] or descr[0] == ">" or min(shape, default=0) < 0:
        raise ValueError("only row-major arrays of little-endian values are read")
    if descr[1] != "S" and descr[1:] not in _TYPES:
        return None
    shape = (min(shape[0], most_rows), *shape[1:]) if shape else ()
    count, size = math.prod(shape), int(descr[2:])
    if body + count * size > len(data):
        raise ValueError("the array is cut off")
    tensor = tensor_pb2.Tensor()
    for each in shape:
        tensor.tensor_shape.dim.add(size=each)
    if descr[1] == "S":
        tensor.dtype = tensor_pb2.DT_STRING
        # NumPy pads with zeros and takes them off again: so does everybody who reads the array.
        tensor.string_val.extend(data[body + i * size : body + (i + 1) * size].rstrip(b"\0") for i in range(count))
    elif narrow is not None and descr == "<f4":
        tensor.dtype = narrow  # type: ignore[assignment]
        tensor.tensor_content = narrowed(narrow, struct.unpack_from(f"<{count}f", data, body))
    else:
        tensor.dtype = _TYPES[descr[1:]]
        tensor.tensor_content = data[body : body + count * size]
    return tensor
