"""What reads a picture of one line: uint8 [n, height, width, channels] in, logits [n, width / 4, symbols + 1] out."""

from typing import Any

import keras
from keras import layers, ops

from modelyard.templates.transcripts.ctc import first_guess

WIDTHS = (24, 48, 64, 96)
HALVED = ((2, 2), (2, 2), (2, 1), (2, 1))
"""By each block: height and width."""
SMALLEST = 16
TURN, MOVE, SIZE = 0.01, 0.05, 0.08
"""Of a whole turn, and of the picture's sides."""


def build(
    network: str, shape: tuple[int, int, int], *, symbols: int, units: int, dropout: float, augment: bool, seed: int
) -> keras.Model:
    """The network called `network`."""
    given = keras.Input(shape, dtype="uint8", name="image")
    state = _even(ops.mean(ops.cast(given, "float32"), axis=-1, keepdims=True))
    if augment:
        for change in (
            layers.RandomRotation(TURN, fill_mode="nearest", seed=seed),
            layers.RandomTranslation(MOVE, MOVE, fill_mode="nearest", seed=seed + 1),
            layers.RandomZoom(SIZE, SIZE, fill_mode="nearest", seed=seed + 2),
        ):
            state = change(state)
    for width, halved in zip(WIDTHS, HALVED, strict=True):
        state = layers.Conv2D(width, 3, padding="same", use_bias=False)(state)
        state = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(state))
        state = layers.MaxPooling2D(halved)(state)
    _, high, wide, width = state.shape
    columns = layers.Reshape((wide, high * width))(layers.Permute((2, 1, 3))(state))
    found = READERS[network](layers.Dropout(dropout)(columns), units)
    bias = first_guess(symbols)
    logits = layers.Dense(symbols + 1, bias_initializer=bias, name="logits")(layers.Dropout(dropout)(found))
    return keras.Model(given, logits, name=f"{network}-reader")


def _even(grey: Any) -> Any:
    """Each picture's mean is 0 and its spread 1: light and dark ones look alike."""
    away = grey - ops.mean(grey, axis=(1, 2), keepdims=True)
    return away / ops.sqrt(ops.mean(ops.square(away), axis=(1, 2), keepdims=True) + 1.0)


READERS = {
    "gru": lambda columns, units: layers.Bidirectional(layers.GRU(units, return_sequences=True))(columns),
    "lstm": lambda columns, units: layers.Bidirectional(layers.LSTM(units, return_sequences=True))(columns),
    "cnn": lambda columns, units: layers.Conv1D(2 * units, 3, padding="same", activation="relu")(columns),
}
