"""Text classification: words become numbers in the graph, a small network reads them."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from readers import build
from words import learn_words, numbers, shuffled, typical_length

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export a model that takes plain text."""
    params = context.params
    text, label = features(params.text)
    texts, truth = load(text, label)
    length = params.words or typical_length(texts)
    cut = learn_words(texts, params.vocabulary, length)
    context.report_text("words", f"{length} words a text, {cut.vocabulary_size():,} words in the vocabulary")

    def examples(texts: NDArray[np.object_], truth: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        words = numbers(cut, texts)
        return shuffled(words, context.seed) if params.shuffle_words else words, truth

    with context.strategy.scope():
        model = build(
            params.network,
            words=length,
            vocabulary=cut.vocabulary_size(),
            embedding=params.embedding,
            units=params.units,
            dropout=params.dropout,
            classes=len(context.classes),
        )
        model.compile(
            optimizer=keras.optimizers.Adam(params.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    words, answers = examples(texts, truth)
    held_out = judged(text, label)
    model.fit(
        words,
        answers,
        batch_size=params.batch_size,
        validation_data=examples(*held_out) if held_out else None,
        epochs=params.epochs,
        callbacks=context.callbacks(),
        verbose=2,
    )
    given = keras.Input((), dtype="string", name=text)
    context.export(keras.Model(given, model(cut(given))), task="text-classification")


def features(asked: str) -> tuple[str, str]:
    """The text that is read, the one that is asked for or the only one there is, and the class that is learnt."""
    all_of = context.features.values()
    texts = [feature.name for feature in all_of if feature.kind == "text" and feature.role == "input"]
    labels = [feature.name for feature in all_of if feature.kind == "category" and feature.role == "target"]
    if len(labels) != 1:
        raise DatasetUnsuitable(
            f"text-classification learns one category, and the dataset has {len(labels)} as targets"
            + (f": {', '.join(labels)}" if labels else "")
        )
    if len(context.classes) < 2:
        raise DatasetUnsuitable(
            f"the target {labels[0]!r} has one class only ({context.classes[0]!r}); there is nothing to tell apart"
        )
    if asked and asked not in texts:
        raise DatasetUnsuitable(
            f"the dataset has no text {asked!r}; it has {', '.join(texts)}", field="parameters.text"
        )
    if not asked and len(texts) > 1:
        raise DatasetUnsuitable(
            f"the dataset has {len(texts)} texts ({', '.join(texts)}); say which one to read: --set text={texts[0]}",
            field="parameters.text",
        )
    return asked or texts[0], labels[0]


Examples = tuple[NDArray[np.object_], NDArray[np.int64]]
"""Texts as bytes and their classes' numbers."""


def load(text: str, label: str) -> Examples:
    """What is learnt from. Raises DatasetUnsuitable."""
    texts, truth = context.arrays("train", columns=[text, label])
    if lacking := all_empty(texts, text, "train"):
        raise DatasetUnsuitable(lacking)
    return texts, truth


def judged(text: str, label: str) -> Examples | None:
    """What the model is judged on after each epoch; None where nothing is held out, or no text of it has anything."""
    if context.held_out is None:
        return None
    texts, truth = context.arrays(context.held_out, columns=[text, label])
    if lacking := all_empty(texts, text, context.held_out):
        context.report_text("held out", f"{lacking}; nothing is judged while training")
        return None
    return texts, truth


def all_empty(texts: NDArray[np.object_], text: str, split: str) -> str:
    """Says so; "" where one has something."""
    if any(one.strip() for one in texts):
        return ""
    return f"the text {text!r} is empty in all {len(texts):,} rows of split {split!r}"
