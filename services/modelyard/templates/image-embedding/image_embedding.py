"""Image embedding: a vector a picture, near those of the same identity, also of identities that it has not seen."""

from typing import Any

import keras
import numpy as np
from embedder import Embedder, network
from embedding_judging import Judging, comparable
from embedding_serving import Searching, vectors_of
from identity_pictures import Pictures, encoded, features, learnt, load, unseen

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.spread import spread
from modelyard.templates.picture_changes import Changes

SMALLEST = 16
"""Pixels of a picture's side."""
SHOWN = 16
"""Pictures whose answers are kept with the model."""
NEIGHBOURS = 5
UNJUDGED = 0.5
"""The threshold of `verify` where nothing is held out that could say a better one."""


def main() -> None:
    """Train on the split `train`, judge on identities that are not in it, export."""
    params = context.params
    names = features()
    shape = context.image_shape(params.image_size)
    if min(shape[:2]) < SMALLEST:
        raise DatasetUnsuitable(
            f"images of {shape[0]} × {shape[1]} pixels are too small; say --set image_size={SMALLEST} or more",
            field="parameters.image_size",
        )
    train = learnt(names, params.image_size)
    held_out = unseen(names, params.image_size, train)
    numbers = np.arange(len(train.starts) - 1)
    batch_size = batched(len(numbers), params.batch_size)
    if params.shuffle_identities:
        train = shuffled(train)
    with context.strategy.scope():
        net = network(shape, params.width, params.units)
        changes = Changes(context.seed, mirror=params.augment == "mirror", tinted=0.1)
        embedder = Embedder(net, train, params, changes if params.augment != "none" else None)
        steps = -(-len(numbers) // batch_size) * params.epochs
        rate = keras.optimizers.schedules.CosineDecay(params.learning_rate, steps, alpha=0.01)
        embedder.compile(keras.optimizers.AdamW(rate, weight_decay=params.weight_decay), jit_compile=False)
        # A job that goes on restores the optimizer before the first step, which would else make its variables.
        embedder.optimizer.build(embedder.trainable_variables)
    judging = [Judging(net, held_out)] if held_out is not None and comparable(held_out) else []
    if judging:
        context.report_text("without learning", judging[0].without_learning())
    embedder.fit(
        numbers,
        numbers,
        batch_size=batch_size,
        epochs=params.epochs,
        callbacks=[*judging, *context.callbacks()],
        verbose=2,
    )
    searching = with_gallery(net, names, judging[0].compared().threshold() if judging else UNJUDGED)
    context.export(
        searching,
        signature=searching.signatures(),
        examples=examples(held_out or train, searching.count),
        task="image-embedding",
        classes=(),
        inputs=dict.fromkeys(("image", "image_bytes", "first", "second"), "image"),
    )


def batched(identities: int, batch_size: int) -> int:
    """Identities a step, a few more than asked for where the last step of an epoch would have one alone: that one has
    no other to be told from, and hardly a variance to normalize by."""
    while identities % batch_size == 1:
        batch_size += 1
    return batch_size


def shuffled(train: Pictures) -> Pictures:
    """A control: as many pictures an identity as before, of any."""
    order = np.random.default_rng(context.seed).permutation(len(train))
    return Pictures(train.pixels[order], train.identities, train.rows[order])


def with_gallery(net: keras.Model, names: tuple[str, str], threshold: float) -> Searching:
    """The network with the pictures that `search` looks among."""
    wanted = context.params.gallery
    splits = [name for name in context.splits if wanted in ("all", name) or (wanted == "held-out" and name != "train")]
    vectors, called, paths = [np.zeros((0, int(net.output_shape[-1])), np.float32)], [], []
    for split in splits:
        found = load(split, names, context.params.image_size)
        vectors.append(vectors_of(net, found.pixels))
        called += [context.classes[identity] for identity in found.identities.tolist()]
        paths += [context.example_path(split, row) for row in found.rows.tolist()]
    gallery = context.dataset_version or "the dataset that it was trained on"
    if called:
        context.report_text(
            "gallery", f"{len(called):,} pictures of {len(set(called)):,} identities can be searched for"
        )
    return Searching(net, np.concatenate(vectors), called, paths, threshold=threshold, gallery=gallery)


def examples(some: Pictures, gallery: int) -> dict[str, dict[str, Any]]:
    """Pictures that are asked about when the model is exported."""
    pixels = some.pixels[spread(len(some), SHOWN)]
    data = encoded(pixels)
    return {
        "serving_default": {"image": pixels},
        "embed": {"image_bytes": data},
        "verify": {"first": data, "second": np.roll(data, 1)},
        "search": {"image_bytes": data, "k": min(NEIGHBOURS, max(1, gallery))},
    }
