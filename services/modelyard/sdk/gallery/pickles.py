"""Reads arrays and tables out of pickles that can do nothing but hold them."""

import gzip
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ARRAYS: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}
"""The names that a pickle of arrays needs, before and since NumPy 2; any other is refused."""


class _Index:
    """The labels of an axis, in place of pandas' Index and RangeIndex."""

    def __init__(self, values: Any) -> None:
        self.values = values


@dataclass(frozen=True, slots=True)
class _Block:
    """Columns of one type: values [columns, rows], and which columns of the table they are."""

    values: Any
    columns: Any


@dataclass(frozen=True, slots=True)
class _Blocks:
    """In place of pandas' BlockManager."""

    blocks: tuple[_Block, ...]
    axes: list[_Index]


@dataclass(slots=True)
class _Table:
    """In place of pandas' DataFrame."""

    state: dict[str, Any] = field(default_factory=dict)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state


def _from_buffer(content: bytes, dtype: Any, shape: Any, order: str) -> Any:
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if order == "F" else "C")


def _index(kind: object, state: dict[str, Any]) -> _Index:
    return _Index(state.get("data"))


def _block(values: Any, placement: Any, ndim: int) -> _Block:
    return _Block(values, np.arange(placement.stop)[placement] if isinstance(placement, slice) else placement)


_TABLES: Mapping[tuple[str, str], Any] = {
    **_ARRAYS,
    ("builtins", "slice"): slice,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("pandas._libs.internals", "_unpickle_block"): _block,
    ("pandas.core.frame", "DataFrame"): _Table,
    ("pandas.core.indexes.base", "Index"): _Index,
    ("pandas.core.indexes.base", "_new_Index"): _index,
    ("pandas.core.indexes.range", "RangeIndex"): _Index,
    ("pandas.core.internals.managers", "BlockManager"): _Blocks,
}
"""The names that a pickled pandas table needs; pandas itself does not, nor is any of its code run."""


class _Restricted(pickle.Unpickler):
    def __init__(self, stream: Any, allowed: Mapping[tuple[str, str], Any], needed_by: str) -> None:
        super().__init__(stream, encoding="latin1")
        self._allowed = allowed
        self._needed_by = needed_by

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        found = self._allowed.get((module_name, global_name))
        if found is None:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, which no {self._needed_by} needs")
        return found


def load_arrays(stream: IO[bytes] | gzip.GzipFile) -> Any:
    """Tuples and lists of arrays, as they were pickled by Python 2 or 3. Raises UnpicklingError."""
    return _Restricted(stream, _ARRAYS, "array").load()


def load_table(stream: Any) -> dict[str, list[Any]]:
    """A pickled pandas table: column name -> values. Raises UnpicklingError."""
    table = _Restricted(stream, _TABLES, "table").load()
    if not isinstance(table, _Table) or not isinstance(blocks := table.state.get("_mgr"), _Blocks):
        raise pickle.UnpicklingError("it holds no table")
    columns: dict[int, list[Any]] = {}
    for block in blocks.blocks:
        for place, values in zip(block.columns, block.values, strict=True):
            columns[int(place)] = values.tolist()
    names = list(blocks.axes[0].values)
    if len({len(values) for values in columns.values()}) != 1 or sorted(columns) != list(range(len(names))):
        raise pickle.UnpicklingError("its columns do not fit together")
    return {name: columns[place] for place, name in enumerate(names)}
