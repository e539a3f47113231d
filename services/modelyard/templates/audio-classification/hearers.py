"""What hears: float32 [n, samples] in, probabilities [n, classes] out."""

from typing import Any

import keras
from keras import layers, ops

from modelyard.templates.hearing.log_mel import LogMel

WIDTHS = (24, 48, 64, 96)
UNITS = 64
SHIFT_TIME, SHIFT_PITCH = 0.1, 0.05


def build(
    network: str, *, rate: int, samples: int, bands: int, classes: int, dropout: float, augment: bool, seed: int
) -> keras.Model:
    """The network called `network`."""
    given = keras.Input((samples,), dtype="float32", name="samples")
    state = ops.expand_dims(LogMel(rate, bands, name="log_mel")(given), -1)
    if augment:
        shift = layers.RandomTranslation(SHIFT_TIME, SHIFT_PITCH, fill_mode="constant", seed=seed)
        state = shift(state)
    state = _block(state, WIDTHS[0], 5, 2)
    for width in WIDTHS[1:]:
        state = layers.MaxPooling2D(2, padding="same")(_block(state, width, 3, 1))
    found = HEARERS[network](state)
    answer = layers.Dense(classes, activation="softmax", name="probabilities")(layers.Dropout(dropout)(found))
    return keras.Model(given, answer, name=f"{network}-hearer")


def _block(state: Any, width: int, size: int, stride: int) -> Any:
    state = layers.Conv2D(width, size, stride, padding="same", use_bias=False)(state)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(state))


def _cnn(state: Any) -> Any:
    """Means over time; pitch stays apart."""
    return layers.Flatten()(ops.mean(state, axis=1))


def _gru(state: Any) -> Any:
    _, frames, bands, width = state.shape
    return layers.Bidirectional(layers.GRU(UNITS))(layers.Reshape((frames, bands * width))(state))


HEARERS = {"cnn": _cnn, "gru": _gru}
