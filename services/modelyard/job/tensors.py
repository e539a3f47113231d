"""Whole columns as tensors in the host's memory, out of which TensorFlow gathers batches without a call into Python."""

from math import prod
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

ALIGNMENT = 64
"""Bytes. TensorFlow takes other's memory only where it begins at a multiple of them."""
MAX_COPIED_BYTES = 1 << 30
"""Of one array that cannot be shared."""


class _Lent:
    """An array's memory as if it could be written, as NumPy lends no other; TensorFlow writes to none of its inputs."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self.__array_interface__ = array.__array_interface__ | {"data": (array.ctypes.data, False)}


def tensor_of(array: NDArray[Any]) -> Any | None:
    """All of an array; None where it would have to be copied and is too large.

    What nobody can write shares its memory, so a mapped file stays a file. An array that the code may change while it
    trains is copied, as Keras does it.
    """
    with tf.device("CPU:0"):
        if array.dtype.kind not in "iuf" or not array.dtype.isnative or not array.size:
            return tf.constant(array)
        if array.flags.writeable or not _is_aligned(array):
            if array.nbytes > MAX_COPIED_BYTES:
                return None
            array = aligned(array, array.dtype)
        return tf.experimental.dlpack.from_dlpack(np.asarray(_Lent(array)).__dlpack__())


def aligned(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """A read-only copy, of this type, that can be shared."""
    copy = room(array.shape, dtype)
    copy[...] = array
    copy.flags.writeable = False
    return copy


def room(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array to be filled, which can be shared once nobody can write it any more."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def _is_aligned(array: NDArray[Any]) -> bool:
    return bool(array.flags.c_contiguous) and array.ctypes.data % ALIGNMENT == 0
