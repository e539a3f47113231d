"""Reads arrays out of a pickle that can do nothing but hold arrays."""

import gzip
import pickle
from typing import IO, Any

import numpy as np

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}
"""The names that a pickle of arrays needs, before and since NumPy 2; any other is refused."""


class _Arrays(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        found = _ALLOWED.get((module_name, global_name))
        if found is None:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, which no array needs")
        return found


def load_arrays(stream: IO[bytes] | gzip.GzipFile) -> Any:
    """Tuples and lists of arrays, as they were pickled by Python 2 or 3. Raises UnpicklingError."""
    return _Arrays(stream, encoding="latin1").load()
