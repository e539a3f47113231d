"""A dataset's examples as a signature takes them, a batch at a time: memory grows neither with the dataset nor with
how large its examples are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import images, scratch
from modelyard.job.columns import RANGE, Column
from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.index import Examples
from modelyard.job.pixels import channels_of
from modelyard.layouts import Feature, clips, waves
from modelyard.layouts.chunks import MISSING_TIME
from modelyard.templates.fitting import ONE, Input

BATCH_BYTES = 128 << 20
"""Of a batch: what is stored and what the model gets; one example may be larger."""
_LOOKED_AT = 1 << 16
"""Rows whose sizes are read together."""
Rows = NDArray[np.int64]
"""Numbers of examples in a split, rising."""
Read = Callable[[Column, Rows], tuple[NDArray[Any], Mapping[int, str]]]
"""What the model gets for these rows, and what is wrong with some of them, by their place among the rows."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some examples: those that can be decoded as inputs, and why the others can't."""

    rows: Rows
    inputs: Mapping[str, NDArray[Any]]
    """Of the rows that are not in `problems`, in order."""
    problems: Mapping[int, str]
    """Place among the rows -> reason."""


class Feed:
    """How each input of a signature is made of its feature. Raises ModelUnsuitable and DatasetUnsuitable."""

    def __init__(
        self,
        inputs: Sequence[Input],
        features: Mapping[str, Feature],
        fitted: Mapping[str, str],
        *,
        about: Mapping[str, Any],
        scale: float,
        k: int,
    ) -> None:
        """`about` is the model's description: in which form it wants sounds and videos."""
        self._given = {
            each.name: np.array(k, tf.as_dtype(each.dtype).as_numpy_dtype) for each in inputs if each.is_count
        }
        self._columns = {
            each.name: (fitted[each.name], _reader(each, features[fitted[each.name]], about, scale))
            for each in inputs
            if not each.is_count
        }
        self._row_bytes = sum(_row_bytes(each, features[fitted[each.name]], about) for each in inputs if each.is_batch)
        """Of an example, as the model gets it."""

    def spans(self, examples: Examples, rows: Rows, most: int) -> Iterator[Rows]:
        """These examples in batches of at most so many and of at most BATCH_BYTES: the same ones each time."""
        for start in range(0, len(rows), _LOOKED_AT):
            some = rows[start : start + _LOOKED_AT]
            weights = np.full(len(some), self._row_bytes, np.int64)
            for feature, _ in self._columns.values():
                values = examples.column(feature).values
                weights += values["size"][some] if values.dtype == RANGE else 0
            ends = np.cumsum(weights)
            at = 0
            while at < len(some):
                room = BATCH_BYTES + (int(ends[at - 1]) if at else 0)
                stop = max(at + 1, min(at + most, int(np.searchsorted(ends, room, "right"))))
                yield some[at:stop]
                at = stop

    def batch(self, examples: Examples, rows: Rows) -> Batch:
        """These examples."""
        found: dict[str, NDArray[Any]] = {}
        problems: dict[int, str] = {}
        for name, (feature, read) in self._columns.items():
            found[name], wrong = read(examples.column(feature), rows)
            problems |= {place: f"{feature}: {reason}" for place, reason in wrong.items() if place not in problems}
        if problems:
            good = np.array([place not in problems for place in range(len(rows))])
            found = {name: values[good] for name, values in found.items()}
        return Batch(rows, found | self._given, problems)


def _row_bytes(each: Input, feature: Feature, about: Mapping[str, Any]) -> int:
    """Of what is stored as it is given, the stored size says it."""
    if each.dtype == "string":
        return 0
    shape = [size for size in each.row or () if size > 0]
    if feature.kind == "number" or (feature.kind == "image" and len(shape) < 3):
        shape = [size or 1 for size in feature.shape]
    if feature.kind == "audio":
        form = about.get("audio", {})
        shape = [round(float(form.get("sample_rate", 0)) * float(form.get("seconds", 0)))]
    return int(np.prod(shape)) * int(tf.as_dtype(each.dtype).size)


def _reader(each: Input, feature: Feature, about: Mapping[str, Any], scale: float) -> Read:
    match feature.kind:
        case "image" if each.dtype != "string":
            return _images(each, feature, scale)
        case "image":
            return _texts
        case "audio":
            return _sounds(each, about)
        case "video":
            return _videos(each, about)
    if each.dtype == "string":
        return _texts if feature.dtype == "string" else _classes(feature)
    return _numbers(each, feature)


def _texts(column: Column, rows: Rows) -> tuple[NDArray[Any], Mapping[int, str]]:
    start, stop = int(rows[0]), int(rows[-1]) + 1
    if stop - start == len(rows):
        return column.between(start, stop), {}
    found = np.empty(len(rows), object)
    found[:] = [column.read(int(row)) for row in rows]
    return found, {}


def _classes(feature: Feature) -> Read:
    """A target that a model takes: its classes' names."""
    names = np.array([name.encode() for name in feature.classes] + [b""], object)

    def read(column: Column, rows: Rows) -> tuple[NDArray[Any], Mapping[int, str]]:
        return names[column.values[rows]], {}

    return read


def _numbers(each: Input, feature: Feature) -> Read:
    """One becomes a list of one where the model takes it so, and the other way round; several keep their shape."""
    dtype = np.dtype(tf.as_dtype(each.dtype).as_numpy_dtype)
    one = each.row if each.row in ONE else None

    def read(column: Column, rows: Rows) -> tuple[NDArray[Any], Mapping[int, str]]:
        values = np.asarray(column.values[rows])
        missing = values == MISSING_TIME if feature.kind == "time" else np.isnan(values)
        if dtype.kind in "iu":
            values, problems = _whole(values, missing, dtype)
        else:
            values, problems = np.where(missing, np.nan, values), {}
        values = values.astype(dtype)
        return values if one is None else values.reshape(len(rows), *one), problems

    return read


def _whole(
    values: NDArray[Any], missing: NDArray[np.bool_], dtype: np.dtype[Any]
) -> tuple[NDArray[Any], Mapping[int, str]]:
    """With 0 for what is no whole number that the type holds, and why it is none, in the client's words."""
    limits = np.iinfo(dtype)
    whole = np.isfinite(values) & ~missing & (values == np.floor(values))
    if values.dtype.kind == "f":
        # The first number beyond is a power of two, which floats can be; the last one within may be none.
        held = whole & (values >= float(limits.min)) & (values < float(limits.max + 1))
    else:
        known = np.iinfo(values.dtype)
        held = whole & (values >= max(limits.min, known.min)) & (values <= min(limits.max, known.max))
    problems: dict[int, str] = {}
    for at in map(tuple, np.argwhere(~held).tolist()):
        if missing[at]:
            reason = f"takes a whole number ({dtype}), and none is given"
        elif whole[at]:
            reason = f"takes {dtype}, and {int(values[at])} does not fit"
        else:
            reason = f"takes a whole number ({dtype}), not {values[at]!s}"
        problems.setdefault(at[0], reason)
    return np.where(held, values, 0), problems


def _images(each: Input, feature: Feature, scale: float) -> Read:
    row = each.row if each.row is not None and len(each.row) == 3 else (-1, -1, -1)
    sides = feature.shape[:2] if len(feature.shape) == 3 else (None, None)
    stored = (*sides, channels_of(feature))
    height, width, channels = (known if wanted < 0 else wanted for wanted, known in zip(row, stored, strict=True))
    if height is None or width is None or channels is None:
        raise DatasetUnsuitable(f"the dataset's images differ in size, and the model takes {each}")
    shape = (height, width, channels)
    flat = each.row if each.row is not None and len(each.row) != 3 else None
    dtype = tf.as_dtype(each.dtype)

    def one(data: Any) -> Any:
        if feature.encoding == "raw":
            return images.resize(tf.reshape(tf.io.decode_raw(data, tf.uint8), feature.shape), height, width)
        return images.decode_to(data, shape)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def decode(data: Any) -> Any:
        return tf.map_fn(one, data, fn_output_signature=tf.TensorSpec(shape, tf.uint8))

    def read(column: Column, rows: Rows) -> tuple[NDArray[Any], Mapping[int, str]]:
        problems: Mapping[int, str] = {}
        if column.array is not None:
            found = np.asarray(column.array[rows])
            if found.shape[1:] != shape:
                found = images.resize(tf.constant(found), height, width).numpy()
        else:
            data, _ = _texts(column, rows)
            found, problems = _decoded(decode, one, data, shape)
        if flat is not None:
            found = found.reshape(len(found), *flat)
        if dtype == tf.uint8:
            return found, problems
        return (tf.cast(found, dtype) * tf.cast(scale, dtype)).numpy(), problems

    return read


def _decoded(
    decode: Any, one: Callable[[Any], Any], data: NDArray[Any], shape: images.Shape
) -> tuple[NDArray[np.uint8], Mapping[int, str]]:
    """All together; one by one where one can't be decoded, outside of a graph, where the reason is said in words."""
    try:
        return decode(data).numpy(), {}
    except tf.errors.InvalidArgumentError:
        found, problems = np.zeros((len(data), *shape), np.uint8), {}
        for place, each in enumerate(data):
            try:
                found[place] = one(tf.constant(each))
            except (tf.errors.InvalidArgumentError, ValueError) as error:
                problems[place] = f"cannot be decoded: {images.reason(error)}"
        return found, problems


def _sounds(each: Input, about: Mapping[str, Any]) -> Read:
    form = about.get("audio", {})
    rate, seconds = int(form.get("sample_rate", 0)), float(form.get("seconds", 0))
    if rate <= 0 or seconds <= 0:
        raise ModelUnsuitable(f"the model takes sounds as {each} and does not say at which rate and how long")
    samples = max(1, round(rate * seconds))
    return _media(each, (samples,), np.float32, lambda data: waves.decode(data, rate, samples))


def _videos(each: Input, about: Mapping[str, Any]) -> Read:
    row = each.row or ()
    if len(row) != 4 or min(row) <= 0 or row[3] != 3:
        raise ModelUnsuitable(
            f"the model takes videos as {each}; frames, height and width must be fixed, and 3 colours"
        )
    frames, height, width = row[:3]
    return _media(each, row, np.uint8, lambda data: clips.decode(data, frames, height, width))


def _media(each: Input, shape: tuple[int, ...], dtype: Any, decode: Callable[[bytes], NDArray[Any]]) -> Read:
    wanted = tf.as_dtype(each.dtype).as_numpy_dtype

    def read(column: Column, rows: Rows) -> tuple[NDArray[Any], Mapping[int, str]]:
        found = np.zeros((len(rows), *shape), dtype)
        problems: dict[int, str] = {}

        def put(place: int) -> None:
            try:
                found[place] = decode(column.read(int(rows[place])))
            except ValueError as error:
                problems[place] = f"cannot be decoded: {error}"

        scratch.in_threads(len(rows), put)
        return found.astype(wanted, copy=False), problems

    return read
