"""Text recognition: convolutions look at a picture of one line, a GRU reads their columns, CTC aligns the symbols."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from plate_readers import SMALLEST, build

from modelyard.job import context, images
from modelyard.job.errors import DatasetUnsuitable
from modelyard.templates.transcripts.alphabet import learn
from modelyard.templates.transcripts.ctc import compile_model, greedy
from modelyard.templates.transcripts.examples import features, learnable, texts_of
from modelyard.templates.transcripts.samples import transcribed

EXAMPLES = 16
WIDER = "wider pictures have more"


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export a model that reads pictures."""
    params = context.params
    picture, transcript = features(context, "image")
    shape = picture_shape()
    pictures, values = load("train", picture, transcript)
    texts = texts_of(values)
    alphabet = learn(texts, params.alphabet, "train")
    context.report_text("alphabet", alphabet.summary("train"))
    with context.strategy.scope():
        model = build(
            params.network,
            shape,
            symbols=len(alphabet.symbols),
            units=params.units,
            dropout=params.dropout,
            augment=params.augment == "shift",
            seed=context.seed,
        )
        compile_model(model, params.learning_rate, -(-len(texts) // params.batch_size) * params.epochs)
    steps = model.output_shape[1]
    examples = learnable(context, "train", pictures, texts, alphabet, steps, wider=WIDER)
    if params.shuffle_labels:
        examples = replace(examples, labels=np.random.default_rng(context.seed).permutation(examples.labels))
    held_out = None
    if context.held_out:
        shown, values = load(context.held_out, picture, transcript)
        held_out = learnable(context, context.held_out, shown, texts_of(values), alphabet, steps, wider=WIDER)
    model.fit(
        examples.batches(context, params.batch_size, is_training=True),
        validation_data=held_out.batches(context, params.batch_size, is_training=False) if held_out else None,
        epochs=params.epochs,
        callbacks=[*([transcribed(context, model, held_out, alphabet)] if held_out else []), *context.callbacks()],
        verbose=2,
    )
    export(model, picture, shape, alphabet.symbols)


def picture_shape() -> tuple[int, int, int]:
    """Height, width, channels. Raises DatasetUnsuitable."""
    height, width, channels = context.image_shape(context.params.image_size)
    if min(height, width) < SMALLEST:
        raise DatasetUnsuitable(
            f"pictures of {height} × {width} pixels are too small to be read; {SMALLEST} × {SMALLEST} are needed",
            field="parameters.image_size",
        )
    return height, width, channels


def load(split: str, picture: str, transcript: str) -> Any:
    return context.arrays(split, columns=[picture, transcript], image_size=context.params.image_size)


def export(model: Any, picture: str, shape: tuple[int, int, int], symbols: tuple[str, ...]) -> None:
    """`serving_default` takes pixels, `encoded` files; both read what the best path says."""

    @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.uint8, picture)])
    def serving_default(pictures: Any) -> Mapping[str, Any]:
        return greedy(model(pictures, training=False), symbols)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, f"{picture}_bytes")])
    def encoded(files: Any) -> Mapping[str, Any]:
        return serving_default(images.decode_batch(files, shape))

    shown = context.arrays(context.held_out or "train", columns=[picture], image_size=context.params.image_size)
    files = np.array([tf.io.encode_png(each).numpy() for each in shown[:EXAMPLES]], object)
    context.export(
        model,
        signature={"serving_default": serving_default, "encoded": encoded},
        examples={"encoded": {f"{picture}_bytes": files}},
        task="text-recognition",
        inputs={f"{picture}_bytes": "image"},
    )
