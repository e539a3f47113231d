"""What sees motion: a convolution looks at each frame and at what has changed since the one before, and something reads
what it saw in the frames' order.

Each network takes uint8 [n, frames, height, width, 3], scales it itself, and answers probabilities [n, classes].
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

Shape = tuple[int, int, int, int]
"""Frames, height, width, 3."""
SMALLEST = 12
"""Pixels of a frame's side."""
SHIFT = 0.15
"""Share of its side that a clip is moved by, at most."""
_COARSE = 6
"""Pixels of a side at which a frame is halved no more."""
_WIDTHS = (32, 48, 64, 96)


def build(
    network: str, shape: Shape, *, name: str, units: int, dropout: float, classes: int, shift: bool, seed: int
) -> keras.Model:
    """The network called `network`; its input is called `name`. `shift`: while it learns, clips are moved a little, all
    frames of one alike."""
    given = keras.Input(shape, dtype="uint8", name=name)
    scaled = layers.Rescaling(1 / 127.5, offset=-1)(given)
    if shift:
        scaled = _moved(scaled, seed)
    found = _volume(scaled, units) if network == "conv3d" else READERS[network](_looked_at(scaled, units), units)
    answer = layers.Dense(classes, activation="softmax", name="probabilities")(layers.Dropout(dropout)(found))
    return keras.Model(given, answer, name=f"{network}-classifier")


def _moved(clips: Any, seed: int) -> Any:
    """Frames are channels meanwhile, so that they move together."""
    frames, height, width, channels = clips.shape[1:]
    flat = ops.reshape(ops.transpose(clips, (0, 2, 3, 1, 4)), (-1, height, width, frames * channels))
    moved = layers.RandomTranslation(SHIFT, SHIFT, fill_mode="nearest", seed=seed)(flat)
    return ops.transpose(ops.reshape(moved, (-1, height, width, frames, channels)), (0, 3, 1, 2, 4))


def _looked_at(clips: Any, units: int) -> Any:
    """[n, frames, h, w, 3] -> [n, frames, units]. All frames of all clips go through the same layers together: a
    TimeDistributed one would be traced frame by frame.

    Which way something moves is seen where it is, in two frames, and the largest of all places keeps that. Of single
    frames the recurrent layer would have to learn it from places, of which there are too many.
    """
    frames, height, width, channels = clips.shape[1:]
    state = ops.reshape(ops.concatenate([clips, _change(clips)], axis=-1), (-1, height, width, 2 * channels))
    for level in range(_halvings(height, width)):
        filters = _WIDTHS[min(level, len(_WIDTHS) - 1)]
        state = layers.Conv2D(filters, 3 if level else 5, 2, padding="same", use_bias=False)(state)
        state = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(state))
    state = layers.Dense(units, activation="relu")(layers.GlobalMaxPooling2D()(state))
    return ops.reshape(state, (-1, frames, units))


def _change(clips: Any) -> Any:
    """Since the frame before; nothing in the first one."""
    return ops.concatenate([ops.zeros_like(clips[:, :1]), clips[:, 1:] - clips[:, :-1]], axis=1)


def _halvings(height: int, width: int) -> int:
    count = 0
    while max(height, width) > _COARSE:
        height, width, count = -(-height // 2), -(-width // 2), count + 1
    return count


def _volume(clips: Any, units: int) -> Any:
    """Convolutions over frames, height and width at once. Source: Tran 2015, arXiv:1412.0767, much smaller."""
    state = clips
    for filters in _WIDTHS[:3]:
        state = layers.Conv3D(filters, 3, (1, 2, 2), padding="same", use_bias=False)(state)
        state = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(state))
    return layers.Dense(units, activation="relu")(layers.GlobalMaxPooling3D()(state))


def _mean(seen: Any, units: int) -> Any:
    return layers.Dense(units, activation="relu")(ops.mean(seen, axis=1))


READERS: dict[str, Callable[[Any, int], Any]] = {
    "gru": lambda seen, units: layers.GRU(units)(seen),
    "lstm": lambda seen, units: layers.LSTM(units)(seen),
    "mean": _mean,
}
