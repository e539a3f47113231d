"""The network that finds objects, and how it learns."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from box_changes import ShuffledClasses, moved
from heatmaps import GEOMETRY, STRIDE, at_middles, geometry, peaks
from keras import layers, ops

from modelyard.templates.picture_changes import Changes

Shape = tuple[int, int, int]
DEEPEST = 16
"""Pixels of a side that become one place of the smallest map."""
_RARE = 0.1
"""How likely a peak is before anything is learnt: most places are empty."""
_PARTS = ("loss", "peak_loss", "size_loss", "offset_loss")


def network(shape: Shape, classes: int, width: int) -> keras.Model:
    """uint8 pictures of this shape -> logits [n, h, w, classes] and geometry [n, h, w, GEOMETRY], a STRIDE-th as high
    and wide, rounded up.

    Residual blocks down to a sixteenth, and back up to a quarter with what was seen on the way (Lin et al. 2017,
    arXiv:1612.03144).
    """
    given = keras.Input(shape, dtype="uint8", name="image")
    state = ops.cast(given, "float32") / 127.5 - 1.0
    below, right = (-size % DEEPEST for size in shape[:2])
    if below or right:
        state = layers.ZeroPadding2D(((0, below), (0, right)))(state)
    state = _seen(state, width, strides=2)
    seen = []
    for times in (3, 6, 8):
        state = _residual(state, width * times // 2, strides=2)
        seen.append(state)
    neck = 2 * width
    state = layers.Conv2D(neck, 1)(seen.pop())
    while seen:
        state = layers.Add()([layers.UpSampling2D(2)(state), layers.Conv2D(neck, 1)(seen.pop())])
        state = _seen(state, neck)
    state = _seen(state, neck)
    high, wide = (-(-size // STRIDE) for size in shape[:2])
    bias = keras.initializers.Constant(float(np.log(_RARE / (1 - _RARE))))
    heat = layers.Conv2D(classes, 1, bias_initializer=bias, name="peaks")(state)
    sized = layers.Conv2D(GEOMETRY, 1, name="geometry")(state)
    return keras.Model(given, [heat[:, :high, :wide], sized[:, :high, :wide]], name="detector")


def _seen(state: Any, width: int, strides: int = 1) -> Any:
    state = layers.Conv2D(width, 3, strides, padding="same", use_bias=False)(state)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(state))


def _residual(state: Any, width: int, strides: int) -> Any:
    inner = layers.Conv2D(width, 3, padding="same", use_bias=False)(_seen(state, width, strides))
    inner = layers.BatchNormalization(momentum=0.9)(inner)
    shortcut = layers.Conv2D(width, 1, strides, use_bias=False)(state)
    return layers.ReLU()(layers.Add()([inner, layers.BatchNormalization(momentum=0.9)(shortcut)]))


class Detector(keras.Model):
    """Trained on pictures with boxes: {"boxes": float32 [n, m, 4], "labels": int64 [n, m]}, filled up with -1."""

    def __init__(
        self,
        net: keras.Model,
        classes: int,
        names: tuple[str, str],
        changes: Changes | None,
        shuffled: ShuffledClasses | None = None,
    ) -> None:
        """`names`: what the boxes and their labels are called in the dataset."""
        super().__init__(name="detecting")
        self.net = net
        self.changes = changes
        self.shuffled = shuffled
        self._shape: tuple[int, int, int] = tuple(net.input_shape[1:])
        self._classes = classes
        self._names = names
        self.shown = {name: keras.metrics.Mean(name=name) for name in _PARTS}
        self.built = True

    @property
    def metrics(self) -> list[Any]:
        """What Keras begins anew with each epoch."""
        return list(self.shown.values())

    def call(self, image: Any, training: bool = False) -> Any:
        """As the network."""
        return self.net(image, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step for a batch of pictures."""
        image, boxes, labels = self._given(data)
        if self.changes is not None:
            image, factor, shift = self.changes(image)
            boxes, labels = moved(boxes, labels, factor, shift, *self._shape[:2])
        if self.shuffled is not None:
            labels = self.shuffled(labels)
        with tf.GradientTape() as tape:
            losses = self._lost(self.net(image, training=True), boxes, labels)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(losses["loss"], variables), variables)
        return self._counted(losses)

    def test_step(self, data: Any) -> dict[str, Any]:
        """The same losses, of pictures as they are."""
        image, boxes, labels = self._given(data)
        return self._counted(self._lost(self.net(image, training=False), boxes, labels))

    def _given(self, data: Any) -> tuple[Any, Any, Any]:
        image, truth = data
        boxes, labels = (truth[name] for name in self._names)
        return tf.ensure_shape(image, (None, *self._shape)), boxes, tf.cast(labels, tf.int32)

    def _counted(self, losses: dict[str, Any]) -> dict[str, Any]:
        for name, value in losses.items():
            self.shown[name].update_state(value)
        return {name: metric.result() for name, metric in self.shown.items()}

    def _lost(self, answers: Any, boxes: Any, labels: Any) -> dict[str, Any]:
        heat, sized = answers
        there = tf.cast(labels >= 0, tf.float32)
        objects = tf.maximum(tf.reduce_sum(there), 1.0)
        wanted = peaks(boxes, labels, heat.shape[1], heat.shape[2], self._classes)
        far = tf.abs(at_middles(sized, boxes) - geometry(boxes)) * there[..., tf.newaxis]
        size, offset = (tf.reduce_sum(part) / objects for part in (far[..., :2], far[..., 2:]))
        peak = _focal(heat, wanted) / objects
        return {"loss": peak + size + offset, "peak_loss": peak, "size_loss": size, "offset_loss": offset}


def _focal(logits: Any, wanted: Any) -> Any:
    """Places that are right already count little, those near a middle less than empty ones (arXiv:1904.07850, 1)."""
    likely = tf.sigmoid(logits)
    right = tf.where(wanted >= 1.0, tf.square(1 - likely) * tf.math.log_sigmoid(logits), 0.0)
    empty = tf.where(wanted >= 1.0, 0.0, tf.pow(1 - wanted, 4) * tf.square(likely) * tf.math.log_sigmoid(-logits))
    return -tf.reduce_sum(right + empty)
