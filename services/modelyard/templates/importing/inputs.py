"""Inputs to ask a model with: real ones from a dataset, or made up from a signature's types and shapes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
_SIZES = (8, 32, 64, 224, 1)
"""Tried for dimensions that may be of any size: of a sequence, of a picture."""
CARRIED = frozenset(
    {
        *("float16", "float32", "float64", "bfloat16", "float8_e5m2", "float8_e4m3fn", "complex64", "complex128"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "string"),
    }
)
"""The types that requests and answers can carry."""
_PICTURE_NAMES = ("image", "img", "bytes", "jpeg", "jpg", "png", "b64", "picture")
_EXAMPLE_NAMES = ("example", "serialized")


@dataclass(frozen=True, slots=True)
class Spec:
    """What a signature takes under one name."""

    dtype: Any
    """A tf.DType."""
    shape: tuple[int, ...] | None
    """-1 where any size will do, None for any rank."""
    composite: str = ""
    """What it is that is no tensor: `RaggedTensor`."""

    @property
    def what(self) -> str:
        """Its type in TensorFlow's words."""
        return self.composite or str(self.dtype.name)

    @property
    def carried(self) -> bool:
        """Whether a request or an answer can carry it."""
        return not self.composite and self.what in CARRIED

    @property
    def rows(self) -> bool:
        """Whether its first dimension is free."""
        return self.shape is not None and self.shape[:1] == (-1,)

    @property
    def picture(self) -> bool:
        """Whether its form is that of pictures: rows, height, width, channels."""
        return self.shape is not None and len(self.shape) == 4 and self.shape[3] in (-1, 1, 3, 4)

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape fits."""
        return self.shape is None or (
            len(shape) == len(self.shape)
            and all(want in (-1, have) for want, have in zip(self.shape, shape, strict=True))
        )


def made_up(specs: Mapping[str, Spec], rows: int, seed: int) -> Iterator[Arrays]:
    """Inputs in several forms, the likeliest first: what one of them means only the model knows."""
    for size in _SIZES if any(_open(spec) for spec in specs.values()) else _SIZES[:1]:
        for strings in range(4 if any(spec.dtype == tf.string for spec in specs.values()) else 1):
            generator = np.random.default_rng(seed)
            yield {name: _values(generator, name, spec, rows, size, strings) for name, spec in specs.items()}


def _open(spec: Spec) -> bool:
    return spec.shape is None or -1 in spec.shape[1:]


def _values(generator: np.random.Generator, name: str, spec: Spec, rows: int, size: int, strings: int) -> NDArray[Any]:
    wanted = spec.shape if spec.shape is not None else (-1, -1)
    shape = tuple(rows if at == 0 and want == -1 else size if want == -1 else want for at, want in enumerate(wanted))
    if spec.picture and wanted[3] == -1:
        shape = (*shape[:3], 3)
    dtype = spec.dtype
    if dtype == tf.string:
        return _strings(generator, name, shape, strings)
    if dtype == tf.bool:
        return generator.random(shape) < 0.5
    if dtype == tf.uint8:
        return generator.integers(0, 256, shape, dtype=np.uint8)
    if dtype.is_integer:
        # Small: they may be numbers of words or of classes.
        return generator.integers(0, 2, shape).astype(dtype.as_numpy_dtype)
    values = generator.random(shape) if spec.picture else generator.standard_normal(shape)
    if dtype.is_complex:
        values = values + 1j * generator.standard_normal(shape)
    return values.astype(dtype.as_numpy_dtype)


def _strings(generator: np.random.Generator, name: str, shape: tuple[int, ...], choice: int) -> NDArray[Any]:
    makers = [_text, _png, _example, _number]
    lower = name.lower()
    for words, maker in ((_PICTURE_NAMES, _png), (_EXAMPLE_NAMES, _example)):
        if any(word in lower for word in words):
            makers.remove(maker)
            makers.insert(0, maker)
    flat = [makers[choice](generator, number) for number in range(int(np.prod(shape)))]
    return np.array(flat, np.bytes_).reshape(shape)


def _text(generator: np.random.Generator, number: int) -> bytes:
    return b"example text number %d" % number


def _png(generator: np.random.Generator, number: int) -> bytes:
    picture = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return bytes(tf.io.encode_png(picture).numpy())


def _example(generator: np.random.Generator, number: int) -> bytes:
    return bytes(tf.train.Example().SerializeToString())


def _number(generator: np.random.Generator, number: int) -> bytes:
    return b"%d" % number
