"""Real examples for a signature: its inputs that are named like the dataset's features get what is held out of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job.columns import Column
from modelyard.job.data import Data
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.order import Indices
from modelyard.job.spread import spread
from modelyard.job.values import Form

MAX_MEDIA_BYTES = 8 << 20
"""Of the encoded files that are kept with a model."""
Arrays = dict[str, NDArray[Any]]


class Known:
    """A few examples of the split that judges the model, or of the one it learns from."""

    def __init__(self, data: Data, count: int) -> None:
        self._data = data
        self.split = data.index.held_out or "train"
        self.all_rows = self._readable(spread(data.index.splits.get(self.split, 0), count))

    def _readable(self, rows: Indices) -> Indices:
        try:
            return self._data.readable(self.split, rows, self._data.form)
        except DatasetUnsuitable:
            # Their form is not known: the code has never asked for them, and they will not be shown decoded.
            return rows

    def rows(self, specs: Mapping[str, Any]) -> Indices:
        """Which examples: as many as fit, where their inputs are encoded files, and of those none that `fitted` would
        cut short."""
        rows = self.all_rows
        for name, spec in specs.items():
            if len(rows) and self._is_encoded(name, spec):
                column = self._column(name)
                rows = rows[[_keeps_its_end(column, row) for row in rows.tolist()]]
                largest = max(1, int(column.sizes[rows].max(initial=0)))
                rows = rows[: max(1, MAX_MEDIA_BYTES // largest)]
        return rows

    def inputs(self, specs: Mapping[str, Any], rows: Indices) -> Arrays:
        """By input; those are left out that the dataset has nothing for."""
        found = {}
        for name, spec in specs.items():
            given = self._input(name, spec, rows) if name in self._data.index.features and len(rows) else None
            if given is not None:
                found[name] = given
        return found

    def labels(self, rows: Indices) -> NDArray[np.int64] | None:
        """The truth about them, where it is one category."""
        targets = self._data.index.description.targets
        if len(targets) != 1 or targets[0].kind != "category" or not len(rows):
            return None
        array = self._column(targets[0].name).array
        return None if array is None or array.ndim != 1 else array[rows].astype(np.int64)

    def _column(self, name: str) -> Column:
        return self._data.index.split(self.split).column(name)

    def _is_encoded(self, name: str, spec: Any) -> bool:
        feature = self._data.index.features.get(name)
        return feature is not None and feature.kind in ("image", "audio", "video") and spec.dtype == tf.string

    def _input(self, name: str, spec: Any, rows: Indices) -> NDArray[Any] | None:
        """None where the feature's examples have another form than the input."""
        if self._is_encoded(name, spec):
            column = self._column(name)
            values: NDArray[Any] = column.gather(rows)
            if column.feature.encoding == "raw":
                shape = tuple(size or 0 for size in column.feature.shape)
                pictures = [np.frombuffer(value, np.uint8).reshape(shape) for value in values]
                values = np.array([tf.io.encode_png(picture).numpy() for picture in pictures], object)
        else:
            try:
                values = self._data.some(self.split, [name], rows, _form(self._data.form, spec))[name]
            except DatasetUnsuitable:
                return None
        return fitted(values, spec)


def _keeps_its_end(column: Column, row: int) -> bool:
    """NumPy takes zero bytes at the end of a text, such as a recording's last silence, for filling. Pictures stored raw
    are encoded as PNG first, which does not end so."""
    size = int(column.sizes[row])
    return column.feature.encoding == "raw" or column.part(row, max(0, size - 1), 1) != b"\0"


def _form(asked: Form, spec: Any) -> Form:
    """As the code asked last, but of the input's own size where it has one."""
    sizes = spec.shape.as_list() if spec.shape.rank in (4, 5) else []
    square = sizes[-3] if sizes and sizes[-3] and sizes[-3] == sizes[-2] else asked.image_size
    return Form(square, asked.sample_rate, asked.seconds, sizes[1] if len(sizes) == 5 and sizes[1] else asked.frames)


def fitted(values: Any, spec: Any) -> NDArray[Any] | None:
    """An array of the input's type and shape; None where that would change what it says."""
    array = np.asarray(values)
    if spec.shape.rank is not None and spec.shape.rank == array.ndim + 1 and spec.shape[-1] in (1, None):
        array = array[..., np.newaxis]
    if not spec.shape.is_compatible_with(array.shape):
        return None
    text = array.dtype.kind in "OSU"
    if text != (spec.dtype == tf.string):
        return None
    return array.astype(np.bytes_) if text else array.astype(spec.dtype.as_numpy_dtype)
