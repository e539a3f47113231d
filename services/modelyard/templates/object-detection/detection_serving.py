"""What is served: pictures in, boxes out, in the pixels of the picture that was given."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from heatmaps import boxes_of

from modelyard.job import images

MOST = 100
"""Boxes of a picture."""
LEAST = 0.01
"""Scores that `candidates` still answers: average precision counts what is unsure too."""


class Finding:
    """A network with what makes boxes of its answers."""

    def __init__(self, net: keras.Model, classes: Sequence[str], *, least: float, shared: float) -> None:
        """Boxes of a lower score than `least` are only answered as candidates; see `boxes_of` for `shared`."""
        self._net = net
        self._shape: tuple[int, int, int] = tuple(net.input_shape[1:])
        self._names = tf.constant([*classes, ""])
        self._least = least
        self._shared = shared

    def found(self, image: Any, least: float) -> tuple[Any, Any, Any]:
        """Boxes, numbers of classes and scores; see `boxes_of`."""
        heat, geometric = self._net(image, training=False)
        return boxes_of(heat, geometric, self._shape[:2], most=MOST, least=least, shared=self._shared)

    def _answer(self, image: Any, least: float, scale: Any = None) -> Mapping[str, Any]:
        """`scale` [n, 4]: what makes of the network's pixels the given picture's."""
        boxes, classes, scores = self.found(image, least)
        if scale is not None:
            boxes = tf.where(classes[..., tf.newaxis] >= 0, boxes * scale[:, tf.newaxis], boxes)
        return {"boxes": boxes, "labels": tf.gather(self._names, classes % len(self._names)), "scores": scores}

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        picture = tf.TensorSpec((None, *self._shape), tf.uint8)

        def serving_default(image: Any) -> Mapping[str, Any]:
            return self._answer(image, self._least)

        def candidates(image: Any) -> Mapping[str, Any]:
            return self._answer(image, LEAST)

        def encoded(image_bytes: Any) -> Mapping[str, Any]:
            image, scale = tf.map_fn(
                self._decoded,
                image_bytes,
                fn_output_signature=(tf.TensorSpec(self._shape, tf.uint8), tf.TensorSpec((4,), tf.float32)),
            )
            return self._answer(image, self._least, scale)

        return {
            "serving_default": tf.function(serving_default, input_signature=[picture]),
            "encoded": tf.function(encoded, input_signature=[tf.TensorSpec((None,), tf.string)]),
            "candidates": tf.function(candidates, input_signature=[picture]),
        }

    def _decoded(self, data: Any) -> tuple[Any, Any]:
        """An encoded image of any size, and what makes of the network's pixels its own."""
        height, width, channels = self._shape
        image = images.decode(data, channels)
        size = tf.cast(tf.shape(image)[:2], tf.float32) / tf.constant([height, width], tf.float32)
        fitting = tf.ensure_shape(images.resize(image, height, width), self._shape)
        return fitting, tf.tile(size[::-1], [2])
