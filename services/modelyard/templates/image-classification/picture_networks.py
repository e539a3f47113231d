"""Networks for pictures of one thing each. Each takes uint8 [n, height, width, channels] and scales itself."""

from pathlib import Path
from typing import Any

import keras
from efficientnet_lite0 import backbone
from keras import layers, ops

Shape = tuple[int, int, int]
SMALLEST = {"cnn": 10, "residual": 1, "transfer": 32}
"""Pixels of a side that a network needs."""
SHIFT = 0.1
"""Share of its side that a picture is moved by, at most."""
WIDEST = 256


def founding(shape: Shape, classes: int) -> keras.Model:
    """Two convolutions, two poolings, two dense layers."""
    return keras.Sequential(
        [
            keras.Input(shape, dtype="uint8", name="image"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def augmented(network: keras.Model, shape: Shape, how: str, seed: int) -> keras.Model:
    """`network` with pictures that are moved, and mirrored, while it trains, and as they are when it answers."""
    if how == "none":
        return network
    given = keras.Input(shape, dtype="uint8", name="image")
    state = layers.RandomTranslation(SHIFT, SHIFT, fill_mode="nearest", seed=seed)(ops.cast(given, "float32"))
    if how == "mirror":
        state = layers.RandomFlip("horizontal", seed=seed)(state)
    return keras.Model(given, network(state), name=f"augmented-{network.name}")


def residual(shape: Shape, classes: int) -> keras.Model:
    """Halved until 4 pixels of a side are left, each time twice as wide. Source: He 2016, arXiv:1603.05027."""
    given = keras.Input(shape, name="image")
    state = layers.Conv2D(32, 3, padding="same", use_bias=False)(layers.Rescaling(1 / 127.5, offset=-1)(given))
    width = 32
    while True:
        state = _block(state, width)
        if max(state.shape[1:3]) <= 4:
            break
        width = min(2 * width, WIDEST)
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU()(_normal(state)))
    answer = layers.Dense(classes, activation="softmax", name="probabilities")(layers.Dropout(0.2)(pooled))
    return keras.Model(given, answer, name="residual")


def _block(state: Any, width: int) -> Any:
    """Half the size."""
    normal = layers.ReLU()(_normal(state))
    shortcut = layers.Conv2D(width, 1, 2, padding="same", use_bias=False)(normal)
    state = layers.Conv2D(width, 3, 2, padding="same", use_bias=False)(normal)
    state = layers.Conv2D(width, 3, padding="same", use_bias=False)(layers.ReLU()(_normal(state)))
    return layers.Add()([state, shortcut])


def _normal(state: Any) -> Any:
    return layers.BatchNormalization(momentum=0.9)(state)


def eyes(shape: Shape, weights: Path) -> keras.Model:
    """Pictures -> what EfficientNet-Lite0 sees in them: [n, 1280]; it does not learn. Raises WeightsWrong."""
    given = keras.Input(shape, dtype="uint8", name="image")
    return keras.Model(given, backbone(shape[0], weights)(coloured(ops.cast(given, "float32"))), name="eyes")


def head(features: int, classes: int) -> keras.Model:
    """What is learnt about what the eyes see."""
    given = keras.Input((features,), name="features")
    answer = layers.Dense(classes, activation="softmax", name="probabilities")(layers.Dropout(0.2)(given))
    return keras.Model(given, answer, name="head")


def coloured(pictures: Any) -> Any:
    """[n, h, w, 1 | 3 | 4] in 0 … 255 -> three channels: grey ones repeated, transparent ones on white."""
    channels = pictures.shape[-1]
    if channels == 1:
        return ops.repeat(pictures, 3, axis=-1)
    if channels == 4:
        opaque = pictures[..., 3:] / 255.0
        return pictures[..., :3] * opaque + 255.0 * (1.0 - opaque)
    return pictures
