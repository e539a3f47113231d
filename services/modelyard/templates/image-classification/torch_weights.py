"""Reads the tensors of a PyTorch file of before version 1.6, without PyTorch and without running what the file says.

Source: torch.serialization._legacy_save: five pickles (a magic number, the protocol's version, the writer's system, the
tensors, the keys of their storages), then each storage as its length and its bytes.
"""

import pickle
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

MAGIC, PROTOCOL = 119547037146038801333356, 1001
_STORAGES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8"}


class WeightsWrong(ValueError):
    """The file is no such file; the text says why."""


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In elements; they need not be those of a C array, and a reader that ignores them gets other numbers."""

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.strides)) < 0 or min(self.shape, default=1) < 1 or last >= len(values):
            raise WeightsWrong("a tensor lies outside of its storage")
        strides = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides, writeable=False).copy()


class _Tensors(pickle.Unpickler):
    """Knows tensors and the dictionary that they lie in, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _STORAGES:
            return name
        raise WeightsWrong(f"it holds a {module}.{name}, which is no tensor")

    def persistent_load(self, pid: Any) -> _Storage:
        _, kind, key, _, count, _ = pid
        return _Storage(str(key), _STORAGES[kind], int(count))


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor by its name. Raises WeightsWrong, and OSError where there is no such file."""
    try:
        with path.open("rb") as file:
            if (_plain(file), _plain(file)) != (MAGIC, PROTOCOL):
                raise WeightsWrong("it is no PyTorch file of this kind")
            _plain(file)
            tensors: dict[str, _Tensor] = dict(_Tensors(file).load())
            storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
            values = {key: _values(file, storages[key]) for key in _plain(file)}
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsWrong(f"it is damaged: {error}") from error
    return {name: tensor.of(values[tensor.storage.key]) for name, tensor in tensors.items()}


def _plain(file: BinaryIO) -> Any:
    return _Tensors(file).load()


def _values(file: BinaryIO, storage: _Storage) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    data = file.read(count * np.dtype(storage.dtype).itemsize) if count == storage.count else b""
    if len(data) != storage.count * np.dtype(storage.dtype).itemsize:
        raise WeightsWrong("it ends before its last tensor")
    return np.frombuffer(data, storage.dtype)


def _tensor(storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int], *_: Any) -> _Tensor:
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))
