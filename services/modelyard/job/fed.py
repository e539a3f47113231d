"""What a model was trained on, and how that was made of the stored pictures.

A script divides its arrays by 255, or flattens them. What it serves must take pictures as they are stored, so export
looks at what `fit` was given: where it is the stored pixels times a number plus a number, on real examples and not by
guess, the same arithmetic becomes a part of the served graph.
"""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree
from numpy.typing import NDArray

from modelyard.job import images
from modelyard.job.batches import Position
from modelyard.job.data import Data
from modelyard.job.order import permutation
from modelyard.job.spread import spread

SAMPLE = 64
KEPT = 16
SOME = 10
FIT = 1e-4
"""How far a value may be from scale × pixel + offset, as a part of the values' range."""

Prepare = Callable[[Any], Any]
"""uint8 [n, height, width, channels] -> what the model takes."""


@dataclass(frozen=True, slots=True)
class Affine:
    """scale × pixel + offset, a number for each channel or one for all, in the model's own row shape."""

    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    row_shape: tuple[int, ...]

    def __call__(self, pictures: Any) -> Any:
        """Pictures as the script made them; float32."""
        values = tf.cast(pictures, tf.float32)
        values = values * tf.constant(self.scale, tf.float32) + tf.constant(self.offset, tf.float32)
        return tf.reshape(values, (-1, *self.row_shape))

    def __str__(self) -> str:
        scale, offset = (", ".join(f"{value:.6g}" for value in part) for part in (self.scale, self.offset))
        return f"pixel × {scale} + {offset}, as {list(self.row_shape)}"


def unchanged(pictures: Any) -> Any:
    """For models that take pictures as they are stored."""
    return pictures


class Fed:
    """What the fits of a job were given."""

    def __init__(self, data: Data, position: Position, seed: int) -> None:
        self._data = data
        self._position = position
        self._seed = seed
        self._newest: tuple[Any, Any] | None = None
        """This one's data may be that of a model which is made of its weights, or takes the same."""
        self._earlier: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        """The data of a model that is gone is let go: each of ten folds has its own."""

    def saw(self, model: Any, x: Any) -> None:
        """`fit` of this model was called with `x`."""
        if self._newest is not None:
            before, given = self._newest
            self._earlier.pop(before, None)
            self._earlier[before] = given
        self._earlier.pop(model, None)
        self._newest = (model, x)

    def _seen(self) -> list[tuple[Any, Any]]:
        """Models and what they were fitted on, the newest last."""
        return [*self._earlier.items(), *([] if self._newest is None else [self._newest])]

    def examples(self, model: Any) -> Any:
        """A few rows of the model's inputs, in their own structure; None where it was never fitted."""
        given = self._of(model)
        if isinstance(given, tf.data.Dataset):
            given = _first_batch(given)
        if given is None or isinstance(given, tf.data.Dataset):
            return None
        leaves = tree.flatten(given)
        if not leaves or not all(hasattr(leaf, "shape") and len(leaf.shape) for leaf in leaves):
            return None
        return tree.map_structure(lambda part: _float32(np.asarray(part[:KEPT])), given)

    def preparation(self, model: Any) -> Prepare | None:
        """How the model's input is made of stored pictures; None where that cannot be seen."""
        shape = self._data.image_shape(self._data.form.image_size)
        given = self._of(model)
        if isinstance(given, tf.data.Dataset):
            spec = given.element_spec
            first = spec[0] if isinstance(spec, tuple) else spec
            if isinstance(first, tf.TensorSpec) and first.dtype == tf.uint8 and tuple(first.shape[1:]) == shape:
                return unchanged
            batch = _first_batch(given)
            return self._compare(np.asarray(batch), shape, in_order=False) if hasattr(batch, "shape") else None
        if isinstance(given, np.ndarray):
            return self._compare(given, shape, in_order=True)
        return None

    def _of(self, model: Any) -> Any:
        """What this model was fitted on, or one inside it, or one that takes the same."""
        inside = [model, *model._flatten_layers(include_self=False)]
        newest = list(reversed(self._seen()))
        mine = [given for other, given in newest if any(other is layer for layer in inside)]
        alike = [given for other, given in newest if _alike(other, model)]
        return next(iter(mine + alike), None)

    def _compare(self, given: NDArray[Any], shape: images.Shape, *, in_order: bool) -> Prepare | None:
        """`given` are rows of the split train: in stored order, or the first of the epoch's order."""
        assert self._data.image is not None
        stored = self._data.column("train", self._data.image.name, self._data.form).array
        if stored is None or given.dtype.kind not in "fiu" or given.ndim < 2:
            return None
        if int(np.prod(given.shape[1:])) != int(np.prod(shape)) or not 0 < len(given) <= len(stored):
            return None
        if in_order:
            rows = places = spread(len(given), SAMPLE)
            found = affine(stored[rows], given[places])
        else:
            order = permutation(self._seed, self._position.epoch, len(stored))[: len(given)]
            found = affine(stored[order], given) or affine(stored[: len(given)], given)
        if found is None:
            return unchanged if given.dtype == np.uint8 and given.shape[1:] == shape else None
        plain = (found.scale == 1).all() and (found.offset == 0).all() and given.shape[1:] == shape
        return unchanged if plain else found


def affine(stored: NDArray[np.uint8], given: NDArray[Any]) -> Affine | None:
    """What makes `given` of `stored`, row by row; None where no scale and offset do."""
    channels = stored.shape[-1]
    pixels = stored.reshape(-1, channels).astype(np.float64)
    values = given.reshape(-1, channels).astype(np.float64)
    tolerance = FIT * max(1e-12, float(np.ptp(values)))
    scales, offsets = [], []
    for channel in range(channels):
        x, y = pixels[:, channel], values[:, channel]
        apart = x - x.mean()
        if not apart.any():
            return None
        scale = float(apart @ y / (apart @ apart))
        offset = float(y.mean() - scale * x.mean())
        if not np.abs(scale * x + offset - y).max() <= tolerance:
            return None
        scales.append(_snap(scale, tolerance / 255))
        offsets.append(_snap(offset, tolerance))
    if len(set(scales)) == len(set(offsets)) == 1:
        scales, offsets = scales[:1], offsets[:1]
    return Affine(np.array(scales), np.array(offsets), given.shape[1:])


def _snap(value: float, tolerance: float) -> float:
    """The number that was meant, where rounding has moved it a little."""
    for meant in (0.0, 1.0, -1.0, 1 / 255, 1 / 127.5, 1 / 256):
        if abs(value - meant) <= min(tolerance, 1e-6):
            return meant
    return value


def _alike(one: Any, other: Any) -> bool:
    shapes = [getattr(model, "input_shape", None) for model in (one, other)]
    return shapes[0] is not None and shapes[0] == shapes[1]


def _first_batch(dataset: Any) -> Any:
    """The inputs of one batch."""
    for batch in dataset.take(1):
        return batch[0] if isinstance(batch, tuple) else batch
    return None


def _float32(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float32) if values.dtype == np.float64 else values


def random_examples(specs: Mapping[str, Any], seed: int) -> dict[str, NDArray[Any]]:
    """Inputs of the right form for a model of which no real ones are known."""
    random = np.random.default_rng(seed)
    made: dict[str, NDArray[Any]] = {}
    for name, spec in specs.items():
        shape = tuple(size or (KEPT if axis == 0 else 8) for axis, size in enumerate(spec.shape))
        dtype = spec.dtype.as_numpy_dtype
        if not spec.shape.rank and spec.dtype.is_integer:
            # Such a number says how many are asked for.
            made[name] = np.array(SOME, dtype)
        elif spec.dtype.is_floating:
            made[name] = np.asarray(random.random(shape)).astype(dtype)
        elif spec.dtype == tf.string:
            made[name] = np.full(shape, b"example")
        else:
            made[name] = np.asarray(random.integers(0, 2, shape)).astype(dtype)
    return made
