"""Audio classification: sounds become spectra in the graph, convolutions hear them."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from hearers import build

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.values import Form
from modelyard.templates.hearing import serving
from modelyard.templates.hearing.lengths import lengths
from modelyard.templates.hearing.log_mel import window_of
from modelyard.templates.samples import Samples, classified

COVERED, LONGEST_S = 95, 10.0
"""Percent of the training sounds that are heard to their end, where nobody says how much is heard, and how long at
most."""


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export a model that takes sounds."""
    params = context.params
    sound, label = features()
    there = lengths(context, "train", sound)
    rate = params.sample_rate or there.usual_rate
    seconds = params.seconds or there.covering(COVERED, LONGEST_S)
    samples = round(rate * seconds)
    if samples < window_of(rate):
        raise DatasetUnsuitable(
            f"{seconds:g} s at {rate:,} samples a second are too little to hear anything in; it takes "
            f"{window_of(rate) / rate:.3f} s at least",
            field="parameters.seconds",
        )
    longer = int((there.seconds > seconds).sum())
    context.report_text(
        "sounds",
        f"{rate:,} samples a second, the first {seconds:g} s; {longer:,} of {len(there.seconds):,} training sounds are "
        "longer",
    )
    form: dict[str, Any] = {"columns": [sound, label], "sample_rate": rate, "seconds": seconds}
    steps = -(-len(there.seconds) // params.batch_size) * params.epochs
    with context.strategy.scope():
        model = build(
            params.network,
            rate=rate,
            samples=samples,
            bands=params.bands,
            classes=len(context.classes),
            dropout=params.dropout,
            augment=params.augment == "shift",
            seed=context.seed,
        )
        model.compile(
            optimizer=keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(params.learning_rate, steps, alpha=0.01)
            ),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,
        )
    shown = classified(context, model, (sound, label), Form(sample_rate=rate, seconds=seconds))
    fit(model, form, shown)
    names = tf.constant(context.classes)

    def answer(sounds: Any) -> Mapping[str, Any]:
        probabilities = model(sounds, training=False)
        return {"probabilities": probabilities, "label": tf.gather(names, tf.argmax(probabilities, axis=-1))}

    serving.export(context, model, answer, feature=sound, rate=rate, seconds=seconds, task="audio-classification")


def features() -> tuple[str, str]:
    """The sound that is heard and the class that is learnt. Raises DatasetUnsuitable."""
    all_of = context.features.values()
    sounds = [feature.name for feature in all_of if feature.kind == "audio" and feature.role == "input"]
    labels = [feature.name for feature in all_of if feature.kind == "category" and feature.role == "target"]
    for what, found in (("sound", sounds), ("category", labels)):
        if len(found) != 1:
            raise DatasetUnsuitable(
                f"audio-classification learns one {what}, and the dataset has {len(found)}: {', '.join(found)}"
            )
    if len(context.classes) < 2:
        raise DatasetUnsuitable(
            f"the target {labels[0]!r} has one class only ({context.classes[0]!r}); there is nothing to tell apart"
        )
    return sounds[0], labels[0]


def fit(model: keras.Model, form: Mapping[str, Any], shown: Samples) -> None:
    """On sounds, batch by batch; or on all of them with labels that are out of order."""
    params = context.params
    how = {"epochs": params.epochs, "callbacks": [shown, *context.callbacks()], "verbose": 2}
    held_out = context.dataset(context.held_out, batch_size=params.batch_size, **form) if context.held_out else None
    if params.shuffle_labels:
        sounds, labels = context.arrays("train", **form)
        wrong = np.random.default_rng(context.seed).permutation(labels)
        model.fit(sounds, wrong, batch_size=params.batch_size, validation_data=held_out, **how)
    else:
        model.fit(context.dataset("train", batch_size=params.batch_size, **form), validation_data=held_out, **how)
