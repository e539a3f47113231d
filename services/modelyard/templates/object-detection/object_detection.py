"""Object detection: where on a picture things are, and what they are."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from box_changes import ShuffledClasses
from detection_judging import Judging
from detection_serving import Finding
from detector import Detector, network

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.templates.picture_changes import Changes

SMALLEST = 32
"""Pixels of a picture's side."""
SHOWN = 16
"""Pictures whose answers are kept with the model."""


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export what finds objects."""
    params = context.params
    image, *names = features()
    shape = picture_shape()
    count_boxes(names[1])
    classes = len(context.classes)
    form: dict[str, Any] = {
        "batch_size": params.batch_size,
        "image_size": params.image_size,
        "columns": [image, *names],
    }
    with context.strategy.scope():
        net = network(shape, classes, params.width)
        changes = Changes(context.seed, mirror=params.augment == "mirror") if params.augment != "none" else None
        shuffled = ShuffledClasses(context.seed) if params.shuffle_classes else None
        detector = Detector(net, classes, (names[0], names[1]), changes, shuffled)
        steps = -(-context.splits["train"] // params.batch_size) * params.epochs
        slowly = max(1, steps // 20)
        rate = keras.optimizers.schedules.CosineDecay(
            params.learning_rate / 20,
            max(1, steps - slowly),
            alpha=0.01,
            warmup_target=params.learning_rate,
            warmup_steps=slowly,
        )
        detector.compile(keras.optimizers.AdamW(rate, weight_decay=params.weight_decay), jit_compile=False)
        # A job that goes on restores the optimizer before the first step, which would else make its variables.
        detector.optimizer.build(detector.trainable_variables)
    finding = Finding(net, context.classes, least=params.score, shared=params.overlap)
    held_out = context.dataset(context.held_out, **form) if context.held_out else None
    judging = [Judging(finding, held_out, (names[0], names[1]), classes)] if held_out is not None else []
    detector.fit(
        context.dataset("train", **form),
        validation_data=held_out,
        epochs=params.epochs,
        callbacks=[*judging, *context.callbacks()],
        verbose=2,
    )
    context.export(
        net,
        signature=finding.signatures(),
        examples=examples(image),
        task="object-detection",
        classes=context.classes,
        inputs={"image": "image", "image_bytes": "image"},
    )


def features() -> tuple[str, str, str]:
    """The image, its boxes and what is in them. Raises DatasetUnsuitable."""
    all_of = context.features.values()
    images = [each.name for each in all_of if each.kind == "image" and each.role == "input"]
    boxes = [each.name for each in all_of if each.kind == "boxes" and each.role == "target"]
    labels = [each.name for each in all_of if each.kind == "category" and each.shape == (None,)]
    for what, found in (("image", images), ("feature of boxes", boxes), ("feature of the boxes' classes", labels)):
        if len(found) != 1:
            there = ", ".join(f"{each.name} ({each.kind})" for each in all_of)
            raise DatasetUnsuitable(f"object-detection wants one {what}, and the dataset has {len(found)}: {there}")
    return images[0], boxes[0], labels[0]


def picture_shape() -> tuple[int, int, int]:
    """Height, width, channels. Raises DatasetUnsuitable."""
    shape = context.image_shape(context.params.image_size)
    if min(shape[:2]) < SMALLEST:
        raise DatasetUnsuitable(
            f"images of {shape[0]} × {shape[1]} pixels are too small to find something on them; say "
            f"--set image_size={SMALLEST} or more",
            field="parameters.image_size",
        )
    return shape


def count_boxes(labels: str) -> None:
    """Say what there is to learn from. Raises DatasetUnsuitable where there is nothing."""
    counts = context.data.index.split("train").column(labels).sizes // np.dtype(np.int64).itemsize
    if not counts.any():
        raise DatasetUnsuitable(f"none of the {len(counts):,} images of split 'train' has a box on it")
    empty = int((counts == 0).sum())
    without = f"; on {empty:,} of them there is nothing" if empty else ""
    context.report_text("data", f"{int(counts.sum()):,} boxes on {len(counts):,} images{without}")


def examples(image: str) -> dict[str, dict[str, Any]]:
    """Pictures that are asked about when the model is exported."""
    split, size = context.held_out or "train", context.params.image_size
    some = context.dataset(split, batch_size=SHOWN, image_size=size, shuffle=False, columns=[image])
    pictures = next(iter(some)).numpy()
    encoded = np.array([tf.io.encode_png(picture).numpy() for picture in pictures])
    return {
        "serving_default": {"image": pictures},
        "encoded": {"image_bytes": encoded},
        "candidates": {"image": pictures},
    }
