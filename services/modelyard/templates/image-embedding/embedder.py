"""The network that makes a vector of a picture, and how it learns that pictures of one identity belong together."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from identity_pictures import Pictures
from keras import layers, ops

from modelyard.templates.picture_changes import Changes

Shape = tuple[int, int, int]
_SMALLEST = 8
"""Pixels of a side at which no block halves it any more."""


def network(shape: Shape, width: int, units: int) -> keras.Model:
    """uint8 pictures of this shape -> float32 [n, units], each of length 1. What is transparent is seen on white."""
    given = keras.Input(shape, dtype="uint8", name="image")
    state = ops.cast(given, "float32") / 255.0
    if shape[2] == 4:
        state = state[..., :3] * state[..., 3:] + 1.0 - state[..., 3:]
    state = _normal(layers.Conv2D(width, 3, padding="same", use_bias=False)(2.0 * state - 1.0))
    side, wide = min(shape[:2]), width
    while side > _SMALLEST or wide == width:
        wide = min(2 * wide, 8 * width)
        state = _block(state, wide)
        side = -(-side // 2)
    seen = layers.GlobalAveragePooling2D()(layers.ReLU()(state))
    vector = layers.BatchNormalization(momentum=0.9)(layers.Dense(units, use_bias=False)(seen))
    return keras.Model(given, layers.UnitNormalization(name="embedding")(vector), name="embedder")


def _block(state: Any, width: int) -> Any:
    before = layers.ReLU()(state)
    inner = layers.ReLU()(_normal(layers.Conv2D(width, 3, 2, padding="same", use_bias=False)(before)))
    inner = _normal(layers.Conv2D(width, 3, padding="same", use_bias=False)(inner))
    shortcut = _normal(layers.Conv2D(width, 1, use_bias=False)(layers.AveragePooling2D(2, padding="same")(before)))
    return layers.Add()([inner, shortcut])


def _normal(state: Any) -> Any:
    return layers.BatchNormalization(momentum=0.9)(state)


class Embedder(keras.Model):
    """Trained on numbers of identities: a step takes some, and of each a few pictures."""

    def __init__(self, net: keras.Model, train: Pictures, params: Any, changes: Changes | None) -> None:
        super().__init__(name="embedding")
        self.net = net
        self.changes = changes
        self._each = int(params.pictures)
        self._lost = {"supcon": self._contrast, "arcface": self._angles}[params.loss]
        self._temperature, self._margin, self._scale = params.temperature, params.margin, params.scale
        self._pixels = tf.constant(train.pixels)
        self._starts = tf.constant(train.starts)
        self.chance = keras.random.SeedGenerator()
        self.shown = {"loss": keras.metrics.Mean(name="loss")}
        if params.loss == "arcface":
            shape = (int(net.output_shape[-1]), len(train.starts) - 1)
            self.middles = self.add_weight(name="middles", shape=shape, initializer="glorot_uniform")
        self.built = True

    @property
    def metrics(self) -> list[Any]:
        """What Keras begins anew with each epoch."""
        return list(self.shown.values())

    def call(self, image: Any, training: bool = False) -> Any:
        """As the network."""
        return self.net(image, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step for a batch of identities, by their numbers."""
        numbers = keras.utils.unpack_x_y_sample_weight(data)[0]
        image = tf.gather(self._pixels, self._drawn(numbers))
        if self.changes is not None:
            image, _, _ = self.changes(image)
        identities = tf.repeat(numbers, self._each)
        with tf.GradientTape() as tape:
            loss = self._lost(self.net(image, training=True), identities)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.shown["loss"].update_state(loss)
        return {"loss": self.shown["loss"].result()}

    def _drawn(self, numbers: Any) -> Any:
        """Of each identity so many pictures, none twice where there are enough: [n * each]."""
        starts = tf.gather(self._starts, numbers)
        counts = tf.gather(self._starts, numbers + 1) - starts
        first = keras.random.uniform(tf.shape(numbers), seed=self.chance) * tf.cast(counts, tf.float32)
        places = tf.cast(first, tf.int64)[:, tf.newaxis] + tf.range(self._each, dtype=tf.int64)
        return tf.reshape(starts[:, tf.newaxis] + places % counts[:, tf.newaxis], (-1,))

    def _contrast(self, vectors: Any, identities: Any) -> Any:
        """Those of one identity against all others of the batch (Khosla et al. 2020, arXiv:2004.11362, L_out)."""
        itself = tf.eye(tf.shape(vectors)[0], dtype=tf.bool)
        same = tf.logical_and(identities[:, tf.newaxis] == identities, tf.logical_not(itself))
        likely = tf.nn.log_softmax(
            tf.where(itself, -1e9, tf.matmul(vectors, vectors, transpose_b=True) / self._temperature)
        )
        wanted = tf.cast(same, tf.float32)
        return -tf.reduce_mean(tf.reduce_sum(likely * wanted, 1) / tf.maximum(tf.reduce_sum(wanted, 1), 1.0))

    def _angles(self, vectors: Any, identities: Any) -> Any:
        """The angle to the identity's own middle counts as larger by a margin (Deng et al. 2019, arXiv:1801.07698)."""
        cosine = tf.matmul(vectors, tf.math.l2_normalize(tf.convert_to_tensor(self.middles), 0))
        count = self.middles.shape[1]
        own = tf.one_hot(identities, count, on_value=True, off_value=False, dtype=tf.bool)
        # Not to 1: the angle's slope has no end there.
        angle = tf.acos(tf.clip_by_value(cosine, -1 + 1e-6, 1 - 1e-6))
        wider = tf.cos(tf.minimum(angle + self._margin, np.pi))
        logits = self._scale * tf.where(own, wider, cosine)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(identities, logits))
