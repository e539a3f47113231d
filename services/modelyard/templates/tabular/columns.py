"""Columns as numbers, in the graph: the network reads float32 [n, width], a served model takes the table's own values.

A number is standardised, and how far it has come within each part of its range is a value of its own: the parts hold
equally many training rows, so that a network sees where 30,000 is in a column of 0 and 99,999. A missing one (NaN) is
the mean with a mark beside it. A column of several numbers a row, such as an embedding, is standardised and no more. A
category of few values becomes one value for each, one of many an embedding; an unseen or missing one has a place of its
own. Source of the parts: Gorishniy et al. 2022, arXiv:2203.05556, section 3.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from modelyard.job.tensors import room

PARTS = 32
"""Of a number's range; a number of at most twice as many different values has one between any two of them."""
ONE_HOT = 64
"""Categories of at most so many values become one value for each."""
FURTHEST = 20.0
"""In deviations from the mean: a number that is further away counts as so far."""
LARGEST, SMALLEST = 1e30, 1e-30
"""Of a number and of a deviation: what is beyond counts as this, so that float32 can divide them."""

AT_ONCE = 8192
"""Rows that are encoded together."""
PLACE = "{}_place"
"""What the place of a category's value is called."""


@dataclass(frozen=True, slots=True)
class Number:
    """What the training rows say about a column of numbers."""

    mean: float = 0.0
    deviation: float = 1.0
    edges: tuple[float, ...] = ()
    """Of the parts of its range, rising; () where there is none."""


@dataclass(frozen=True, slots=True)
class Vector:
    """What the training rows say about a column of several numbers a row: of each place, flattened."""

    shape: tuple[int, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def learn_vector(values: NDArray[Any]) -> Vector:
    """[n, …]; missing values count for nothing."""
    flat = values.reshape(len(values), -1)
    places = [_known(flat[:, at]) for at in range(flat.shape[1])]
    return Vector(
        values.shape[1:],
        tuple(float(known.mean()) if len(known) else 0.0 for known in places),
        tuple(max(float(known.std()), SMALLEST) if len(np.unique(known)) > 1 else 1.0 for known in places),
    )


def learn_number(values: NDArray[Any]) -> Number:
    """Missing values count for nothing; a column without values, or of one only, says nothing but what is missing."""
    known = _known(values)
    distinct = np.unique(known.astype(np.float32))
    if len(distinct) < 2:
        return Number(float(distinct[0]) if len(distinct) else 0.0)
    edges = distinct if len(distinct) <= 2 * PARTS else np.unique(np.quantile(known, np.linspace(0, 1, PARTS + 1)))
    edges = np.unique(edges.astype(np.float32))
    return Number(
        float(known.mean()), max(float(known.std()), SMALLEST), tuple(edges.tolist()) if len(edges) > 2 else ()
    )


def _known(values: NDArray[Any]) -> NDArray[np.float64]:
    return values[np.isfinite(values)].astype(np.float64).clip(-LARGEST, LARGEST)


def learn_categories(values: NDArray[np.object_], most: int) -> list[str]:
    """The values that are told apart, the most frequent first; "" is a missing one, and Keras takes [UNK] for one."""
    names, counts = np.unique(values.astype(np.bytes_), return_counts=True)
    order = np.lexsort((names, -counts))
    return [names[at].decode(errors="replace") for at in order if names[at] not in (b"", b"[UNK]")][:most]


def encoder(
    numbers: Mapping[str, Number], vectors: Mapping[str, Vector], categories: Mapping[str, Sequence[str]]
) -> keras.Model:
    """By column: float32 [n] or [n, …] (NaN = missing) and string [n] ("" = missing) -> {"values": float32 [n, width]}
    and for every category of many values {PLACE: int64 [n]}."""
    inputs: dict[str, Any] = {}
    values: list[Any] = []
    places: dict[str, Any] = {}
    for name, number in numbers.items():
        inputs[name] = keras.Input((), dtype="float32", name=name)
        values += _parts(ops.expand_dims(inputs[name], -1), number)
    for name, vector in vectors.items():
        inputs[name] = keras.Input(vector.shape, dtype="float32", name=name)
        values.append(_standard(ops.reshape(inputs[name], (-1, len(vector.mean))), vector))
    for name, known in categories.items():
        inputs[name] = keras.Input((), dtype="string", name=name)
        mode = "one_hot" if len(known) <= ONE_HOT else "int"
        place = layers.StringLookup(vocabulary=[*known] or ["-"], num_oov_indices=1, output_mode=mode)(inputs[name])
        if mode == "int":
            places[PLACE.format(name)] = place
        else:
            values.append(ops.cast(place, "float32"))
    encoded = {"values": layers.Concatenate()(values) if len(values) > 1 else values[0]} if values else {}
    return keras.Model(inputs, encoded | places, name="columns")


def _parts(given: Any, number: Number) -> list[Any]:
    """float32 [n, 1] -> what stands for it, each [n, some]."""
    missing = ops.logical_not(ops.isfinite(given))
    known = ops.clip(ops.where(missing, number.mean, given), -LARGEST, LARGEST)
    found = [
        ops.clip((known - number.mean) / number.deviation, -FURTHEST, FURTHEST),
        ops.cast(missing, "float32"),
    ]
    if number.edges:
        edges = np.array(number.edges, np.float32)
        found.append(ops.clip((known - edges[:-1]) / np.diff(edges), 0.0, 1.0))
    return found


def _standard(given: Any, vector: Vector) -> Any:
    """float32 [n, width] -> the same size; a missing value is the mean."""
    mean, deviation = np.array(vector.mean, np.float32), np.array(vector.deviation, np.float32)
    known = ops.clip(ops.where(ops.isfinite(given), given, mean), -LARGEST, LARGEST)
    return ops.clip((known - mean) / deviation, -FURTHEST, FURTHEST)


def row_bytes(encode: keras.Model) -> int:
    """Of an encoded row."""
    return sum(prod(given.shape[1:]) * tf.as_dtype(given.dtype).size for given in encode.output.values())


def encoded(encode: keras.Model, rows: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """All rows as the network takes them, read-only: nobody has to copy them to be sure of them."""
    count = len(next(iter(rows.values())))
    found = {name: room((count, *given.shape[1:]), given.dtype) for name, given in encode.output.items()}
    for start in range(0, count, AT_ONCE):
        some = encode({name: tf.constant(values[start : start + AT_ONCE]) for name, values in rows.items()})
        for name, values in found.items():
            values[start : start + AT_ONCE] = some[name]
    for values in found.values():
        values.flags.writeable = False
    return found


def read(encode: keras.Model, categories: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], Any]:
    """Inputs of the form that `encoder` answers, and all of them as one float32 [n, width]."""
    given = {name: keras.Input(spec.shape[1:], dtype=spec.dtype, name=name) for name, spec in encode.output.items()}
    state = [given["values"]] if "values" in given else []
    for name, known in categories.items():
        if len(known) > ONE_HOT:
            # As fastai chooses the width of an embedding.
            width = min(64, round(1.6 * len(known) ** 0.56))
            state.append(layers.Embedding(len(known) + 1, width, name=f"{name}_embedding")(given[PLACE.format(name)]))
    return given, layers.Concatenate()(state) if len(state) > 1 else state[0]
