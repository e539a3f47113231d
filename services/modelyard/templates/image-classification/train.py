"""Image classification: pictures of one thing each, with the founding network, a residual one, or learnt eyes."""

from typing import Any

import keras
import numpy as np
from efficientnet_lite0 import FEATURES, SIDE, find_weights
from numpy.typing import NDArray
from picture_networks import SMALLEST, augmented, eyes, founding, head, residual

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable

AT_ONCE = 64
"""Pictures that the eyes look at together."""


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export."""
    params = context.params
    side = params.image_size or (SIDE if params.network == "transfer" else 0)
    shape = picture_shape(params.network, side)
    if params.network == "transfer":
        model = transferred(shape, side)
    else:
        with context.strategy.scope():
            make = founding if params.network == "cnn" else residual
            model = augmented(make(shape, len(context.classes)), shape, augmentation(), context.seed)
            compiled(model)
        fit(model, side)
    context.export(model, image_size=side, prepare=lambda pictures: pictures)


def picture_shape(network: str, side: int) -> tuple[int, int, int]:
    """Height, width, channels. Raises DatasetUnsuitable for data that this network can't learn from."""
    if len(context.classes) < 2:
        only = f" ({context.classes[0]!r})" if context.classes else ""
        raise DatasetUnsuitable(f"the dataset has one class only{only}; there is nothing to tell apart")
    height, width, channels = context.image_shape(side)
    if min(height, width) < SMALLEST[network]:
        raise DatasetUnsuitable(
            f"images of {height} × {width} pixels are too small for network={network}, which needs "
            f"{SMALLEST[network]} × {SMALLEST[network]}; say --set image_size={SMALLEST[network]} or more",
            field="parameters.image_size",
        )
    return height, width, channels


def augmentation() -> str:
    """`none`, `shift` or `mirror`."""
    how: str = context.params.augment
    if how == "auto":
        return "shift" if context.params.network == "residual" else "none"
    return how


def compiled(model: keras.Model) -> None:
    model.compile(
        optimizer=keras.optimizers.Adam(context.params.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


def fit(model: keras.Model, side: int) -> None:
    """On pictures, batch by batch; or on all of them with labels that are out of order."""
    params = context.params
    form = {"batch_size": params.batch_size, "image_size": side}
    how = {"epochs": params.epochs, "callbacks": context.callbacks(), "verbose": 2}
    held_out = context.dataset(context.held_out, **form) if context.held_out else None
    if params.shuffle_labels:
        pictures, labels = context.arrays("train", image_size=side)
        model.fit(pictures, learnt(labels), batch_size=params.batch_size, validation_data=held_out, **how)
    else:
        model.fit(context.dataset("train", **form), validation_data=held_out, **how)


def learnt(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The labels, or, as a control, all of them in another order."""
    return np.random.default_rng(context.seed).permutation(labels) if context.params.shuffle_labels else labels


def transferred(shape: tuple[int, int, int], side: int) -> keras.Model:
    """Eyes that have learnt from ImageNet, and a layer that learns here what they see.

    The eyes stay as they are, so each picture is looked at once, before the first epoch; where pictures change from
    epoch to epoch, or are too many to be kept, in each epoch.
    """
    params = context.params
    seeing = eyes(shape, find_weights())
    with context.strategy.scope():
        learning = head(FEATURES, len(context.classes))
        given = keras.Input(shape, dtype="uint8", name="image")
        model = keras.Model(given, learning(seeing(given)), name="transfer")
        compiled(learning)
    seen = {} if augmentation() != "none" else looked_at(seeing, side)
    if not seen:
        with context.strategy.scope():
            training = augmented(model, shape, augmentation(), context.seed)
            compiled(training)
        fit(training, side)
        return training
    features, labels = seen["train"]
    learning.fit(
        features,
        learnt(labels),
        batch_size=params.batch_size,
        validation_data=seen.get(context.held_out),
        epochs=params.epochs,
        callbacks=context.callbacks(),
        verbose=2,
    )
    return model


def looked_at(seeing: keras.Model, side: int) -> dict[str | None, Any]:
    """By split, what the eyes see and the labels; empty where the pictures are too many."""
    found: dict[str | None, Any] = {}
    for split in dict.fromkeys(("train", context.held_out)):
        if split is None:
            continue
        try:
            pictures, labels = context.arrays(split, image_size=side)
        except MemoryError:
            print(f"the pictures of split {split!r} are too many to be held; they are looked at in each epoch")
            return {}
        print(f"looking once at the {len(pictures):,} pictures of split {split}", flush=True)
        parts = [pictures[at : at + AT_ONCE] for at in range(0, len(pictures), AT_ONCE)]
        found[split] = (np.concatenate([np.asarray(seeing(part, training=False)) for part in parts]), labels)
    return found
