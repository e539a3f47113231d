"""Video classification: a small convolution looks at each frame, a recurrent layer reads them in their order."""

from typing import Any

import keras
import numpy as np
from frame_networks import SMALLEST, build
from numpy.typing import NDArray

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.values import Form
from modelyard.templates.samples import classified


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export a model that takes decoded frames."""
    params = context.params
    video, label = features()
    train, held_out = examples()
    shape = tuple(train.element_spec[0].shape[1:]) if not isinstance(train, tuple) else train[0].shape[1:]
    if min(shape[1:3]) < SMALLEST:
        raise DatasetUnsuitable(
            f"frames of {shape[1]} × {shape[2]} pixels are too small, {SMALLEST} × {SMALLEST} are needed; say "
            f"--set image_size={SMALLEST} or more",
            field="parameters.image_size",
        )
    context.report_text("clips", f"{shape[0]} frames a clip, each {shape[1]} × {shape[2]} pixels")
    with context.strategy.scope():
        model = build(
            params.network,
            shape,
            name=video,
            units=params.units,
            dropout=params.dropout,
            classes=len(context.classes),
            shift=params.augment == "shift",
            seed=context.seed,
        )
        steps = -(-context.splits["train"] // params.batch_size) * params.epochs
        rate = keras.optimizers.schedules.CosineDecay(params.learning_rate, steps, alpha=0.01)
        model.compile(
            optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
        )
    form = Form(image_size=params.image_size, frames=params.frames)
    shown = [classified(context, model, (video, label), form)] if params.order == "as-is" else []
    how = {"epochs": params.epochs, "callbacks": [*shown, *context.callbacks()], "verbose": 2}
    if isinstance(train, tuple):
        model.fit(*train, batch_size=params.batch_size, validation_data=held_out, **how)
    else:
        model.fit(train, validation_data=held_out, **how)
    context.export(model, task="video-classification")


def features() -> tuple[str, str]:
    """The video that is looked at and the class that is learnt. Raises DatasetUnsuitable."""
    videos = [each.name for each in context.features.values() if each.kind == "video" and each.role == "input"]
    labels = [each.name for each in context.features.values() if each.kind == "category" and each.role == "target"]
    if len(videos) != 1 or len(labels) != 1:
        raise DatasetUnsuitable(
            f"video-classification learns one category from one video, and the dataset has {len(videos)} videos and "
            f"{len(labels)} categories as targets"
        )
    if len(context.classes) < 2:
        raise DatasetUnsuitable(
            f"the target {labels[0]!r} has one class only ({context.classes[0]!r}); there is nothing to tell apart"
        )
    return videos[0], labels[0]


def examples() -> tuple[Any, Any]:
    """What is learnt from and what the model is judged on, which may be None: datasets of batches, or, where the order
    of frames is destroyed, arrays of clips and labels."""
    params = context.params
    form = {"frames": params.frames, "image_size": params.image_size}
    if params.order == "as-is":
        held_out = context.dataset(context.held_out, batch_size=params.batch_size, **form) if context.held_out else None
        return context.dataset("train", batch_size=params.batch_size, **form), held_out

    def changed(split: str, seed: int) -> tuple[Any, Any]:
        clips, labels = context.arrays(split, **form)
        return destroyed(clips, params.order, seed), labels

    held_out = changed(context.held_out, context.seed + 1) if context.held_out else None
    return changed("train", context.seed), held_out


def destroyed(clips: NDArray[np.uint8], how: str, seed: int) -> NDArray[np.uint8]:
    """[n, frames, …] with each clip's frames in an order of its own, or with the one in its middle standing still."""
    count, frames = clips.shape[:2]
    if how == "frozen":
        return np.repeat(clips[:, frames // 2, None], frames, axis=1)
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(frames), (count, 1)), axis=1)
    return np.asarray(clips[np.arange(count)[:, None], order])
