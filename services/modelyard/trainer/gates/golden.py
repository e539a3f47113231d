"""The golden answers that come with a model, and how close a model's answers are to them."""

import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

GOLDEN_FILE = "golden.npz"
MAX_BYTES = 64 << 20
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-4, 1e-5
"""Kernels of another batch size add in another order; a probability moves by about 1e-7."""
_COARSE = {
    "float16": (1e-2, 1e-3),
    "bfloat16": (3e-2, 1e-2),
    "float8_e4m3fn": (0.13, 0.02),
    "float8_e5m2": (0.26, 0.02),
}
"""The same for numbers with eleven bits and fewer, of which the last two types have neighbours that far apart."""
_READERS: Mapping[tuple[int, int], Any] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

Answers = Mapping[str, NDArray[Any]]


class Unreadable(Exception):
    """No golden answers; the text is a sentence's end."""


class Differs(Exception):
    """Other answers than the golden ones; the text is a sentence's end."""


@dataclass(frozen=True, slots=True)
class Example:
    """One request of a signature, and what the model answered when it was made."""

    inputs: Answers
    outputs: Answers

    @property
    def rows(self) -> int:
        """How many examples are in it, one a row; 0 if they are no rows. An input that is one value holds for all."""
        inputs = [array for array in self.inputs.values() if array.ndim]
        counts = {len(array) if array.ndim else 0 for array in (*inputs, *self.outputs.values())}
        return min(counts) if inputs and len(counts) == 1 else 0

    def row(self, number: int) -> Answers:
        """The inputs of one example."""
        return {name: array[number : number + 1] if array.ndim else array for name, array in self.inputs.items()}


def read(folder: Path) -> dict[str, Example]:
    """By signature; keys are `{signature}/inputs/{name}` and `{signature}/outputs/{name}`. Raises Unreadable."""
    path = folder / GOLDEN_FILE
    if not path.is_file():
        raise Unreadable(f"it has no {GOLDEN_FILE}: its answers on real examples are missing")
    golden: dict[str, tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > MAX_BYTES:
                raise ValueError(f"they are {size} bytes large; {MAX_BYTES} are allowed")
            for member in members:
                signature, side, name = _key(member.filename.removesuffix(".npy"))
                if side and name:
                    with archive.open(member) as file:
                        array = _array(file, member.file_size)
                    golden.setdefault(signature, ({}, {}))[side == "outputs"][name] = array
    except (
        *(OSError, ValueError, EOFError, RuntimeError, KeyError, zipfile.BadZipFile, zlib.error),
        *(NotImplementedError, SyntaxError, MemoryError, OverflowError),
    ) as error:
        raise Unreadable(f"its golden answers can't be read: {error}") from error
    if not golden:
        raise Unreadable("it has no golden answers to compare with")
    return {signature: Example(inputs, outputs) for signature, (inputs, outputs) in golden.items()}


def _key(text: str) -> tuple[str, str, str]:
    """Signature, side and name; all empty for what is no golden answer. Names may have slashes."""
    for side in ("inputs", "outputs"):
        signature, found, name = text.partition(f"/{side}/")
        if found:
            return signature, side, name
    return "", "", ""


def _array(file: IO[bytes], size: int) -> NDArray[Any]:
    """As numpy.load, but what the header claims has to be there before memory is taken for it."""
    reader = _READERS.get(npy.read_magic(file))
    if reader is None:
        raise ValueError("an array of another version of NumPy's format")
    shape, column_major, dtype = reader(file)
    if dtype.hasobject or dtype.kind not in "biufcS":
        raise ValueError(f"an array of {dtype}")
    if math.prod(shape) * dtype.itemsize > size:
        raise ValueError("an array that is cut off")
    array = np.frombuffer(file.read(), dtype, math.prod(shape))
    return array.reshape(shape, order="F" if column_major else "C")


def difference(got: Answers, wanted: Answers, dtypes: Mapping[str, str]) -> float:
    """The largest between floats; `dtypes` are TensorFlow's, for NumPy has not all of them. Raises Differs."""
    worst = 0.0
    for name, array in wanted.items():
        if name not in got:
            raise Differs(f"output {name!r} is missing")
        if got[name].shape != array.shape:
            raise Differs(f"output {name!r} has the shape {got[name].shape}; it had {array.shape}")
        if not close(got[name], array, dtypes.get(name, "")):
            raise Differs(f"once loaded, the model answers otherwise in output {name!r}{_by(got[name], array)}")
        if array.dtype.kind in "fc" and array.size:
            with np.errstate(invalid="ignore"):
                gap = np.abs(_wide(got[name]) - array)
            worst = max(worst, float(np.max(gap[np.isfinite(gap)], initial=0.0)))
    return worst


def _by(got: NDArray[Any], wanted: NDArray[Any]) -> str:
    if wanted.dtype.kind not in "fiuc" or got.dtype.kind not in "fiucb":
        return ""
    with np.errstate(invalid="ignore"):
        gap = np.abs(_wide(got) - wanted)
    return f", by up to {np.nanmax(gap):.2g}" if np.isfinite(gap).any() else ", which is no number"


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype.kind == "c" else array.astype(np.float64)


def close(a: NDArray[Any], b: NDArray[Any], dtype: str, *, same_nan: bool = False) -> bool:
    """As close as numbers of TensorFlow's type `dtype` can be meant to be; complex ones in both parts. NaN is close to
    nothing, with `same_nan` to NaN in the same place."""
    if "c" in (a.dtype.kind, b.dtype.kind):
        return all(close(x, y, dtype, same_nan=same_nan) for x, y in ((a.real, b.real), (a.imag, b.imag)))
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        few = "float16" if min(a.dtype.itemsize, b.dtype.itemsize) == 2 else ""
        relative, absolute = _COARSE.get(dtype or few, (RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE))
        return bool(np.allclose(a, b, rtol=relative, atol=absolute, equal_nan=same_nan))
    return bool(np.array_equal(a, b))
