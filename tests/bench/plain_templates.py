"""The networks of the templates on a dataset's own files, in a plain Keras script; prints {"steps_per_s": …, "window":
[FIRST, LAST]}.

python -m tests.bench.plain_templates TEMPLATE NETWORK FOLDER TARGET FIRST LAST

FIRST and LAST are the steps between which the time is taken; 0 and 0: it finds some.
"""

import csv
import importlib
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import keras
import numpy as np

from modelyard.job import running
from modelyard.templates.specs import SHIPPED, get_template
from tests.bench import plain_pictures, plain_recordings, plain_sequences
from tests.bench.window import Window

Columns = dict[str, Any]
READERS = {**plain_sequences.READERS, **plain_recordings.READERS, **plain_pictures.READERS}


def read(folder: Path, split: str, target: str) -> tuple[Columns, Any]:
    """A CSV's columns: float32, or objects (bytes), and the target's values as they are written."""
    with (folder / f"{split}.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    columns: Columns = {}
    for name, values in zip(header, zip(*rows, strict=True), strict=True):
        try:
            columns[name] = np.array([float(value or "nan") for value in values], np.float32)
        except ValueError:
            columns[name] = np.array([value.encode() for value in values], object)
    return columns, columns.pop(target)


def texts(network: str, folder: Path, target: str, values: dict[str, Any]) -> tuple[Any, Any, Any]:
    """A model, and examples to train on and to judge by."""
    words, readers = (importlib.import_module(name) for name in ("words", "readers"))
    (train, classes), (held_out, truth) = (read(folder, split, target) for split in ("train", "validation"))
    length = words.typical_length(train["text"])
    cut = words.learn_words(train["text"], values["vocabulary"], length)
    names = np.unique(classes)
    model = readers.build(
        network,
        words=length,
        vocabulary=cut.vocabulary_size(),
        classes=len(names),
        **{name: values[name] for name in ("embedding", "units", "dropout")},
    )
    model.compile(
        keras.optimizers.Adam(values["learning_rate"]), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    pairs = [(train["text"], classes), (held_out["text"], truth)]
    return model, *((words.numbers(cut, of), np.searchsorted(names, labels)) for of, labels in pairs)


def translations(network: str, folder: Path, values: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The same of pairs of texts, in two files a split."""

    def split(name: str) -> list[Any]:
        return [np.array((folder / f"{name}.{of}").read_bytes().splitlines(), object) for of in ("en", "it")]

    return pairs(network, split("train"), split("validation"), (100, 100), values)


def summaries(network: str, folder: Path, values: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The same of pairs of texts, in a table."""

    def split(name: str) -> list[Any]:
        columns, synopses = read(folder, name, "synopsis")
        return [columns["description"], synopses]

    return pairs(network, split("train"), split("validation"), (64, 40), values)


def pairs(
    network: str, learnt: list[Any], judged: list[Any], longest: tuple[int, int], values: dict[str, Any]
) -> tuple[Any, Any, Any]:
    """Of sources and targets."""
    from modelyard.templates.sequences import vocabulary as vocabularies
    from modelyard.templates.sequences.network import Network
    from modelyard.templates.sequences.pairs import Pairs, numbered
    from modelyard.templates.sequences.tokens import cut_all

    train, held_out = (Pairs(*texts, *map(cut_all, texts)) for texts in (learnt, judged))
    held_out = held_out.some(np.arange(values["judged"]))
    sides = train.source_tokens, train.target_tokens
    most = [vocabularies.typical_length(of, limit) for of, limit in zip(sides, longest, strict=True)]
    known = [vocabularies.learn(of, values["vocabulary"]) for of in sides]
    params = SimpleNamespace(**{**values, "network": network})
    model = Network(params, len(known[0]), len(known[1]), most[0], most[1])
    model.compile(keras.optimizers.Adam(values["learning_rate"], global_clipnorm=1.0), jit_compile=False)
    examples, judging = (numbered(of, known[0], known[1], most[0], most[1]) for of in (train, held_out))
    return model, examples, judging


def table(folder: Path, target: str, values: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The same of a table."""
    columns, figures, scaling = (importlib.import_module(name) for name in ("columns", "figures", "target"))
    (train, truth), held_out = (read(folder, split, target) for split in ("train", "validation"))
    numbers = {name: columns.learn_number(of) for name, of in train.items() if of.dtype != object}
    categories = {name: columns.learn_categories(of, 1000) for name, of in train.items() if of.dtype == object}
    encode = columns.encoder(numbers, {}, categories)
    given, state = columns.read(encode, categories)
    scale = None if truth.dtype == object else scaling.learn_scale(truth, "auto")
    for width in (values["units"], values["units"] // 2):
        state = keras.layers.Dropout(values["dropout"])(keras.layers.Dense(width, activation="relu")(state))
    answer = keras.layers.Dense(1 if scale else 2, activation=None if scale else "softmax")(state)
    model = keras.Model(given, answer)
    rate = keras.optimizers.schedules.CosineDecay(values["learning_rate"], 100_000, alpha=0.01)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=values["weight_decay"])
    if scale:
        model.compile(optimizer, "mean_squared_error", metrics=[figures.RootMeanSquaredError(scale)])
    else:
        metrics = ["accuracy", figures.AreaUnderCurve()]
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=metrics)
    names = np.unique(truth)
    return model, *(
        (columns.encoded(encode, rows), scale.to_network(of) if scale else np.searchsorted(names, of))
        for rows, of in ((train, truth), held_out)
    )


def choices(folder: Path, values: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The same of interactions, without their table of items."""
    interactions, towers = (importlib.import_module(name) for name in ("interactions", "towers"))
    (train, rating), (held_out, truth) = (read(folder, split, "rating") for split in ("train", "validation"))
    users, items = np.unique(train["user"]), np.unique(train["item"])
    learnt = interactions.counted({**train, "rating": rating}, users, items)
    model = towers.Towers(learnt, len(users), len(items), None, SimpleNamespace(**values))
    model.compile(keras.optimizers.Adam(values["learning_rate"]), jit_compile=False)
    judged = interactions.counted({**held_out, "rating": truth}, users, items).known()
    return (
        model,
        (np.arange(len(users), dtype=np.int32),),
        ({"user": judged.user, "item": judged.item, "rating": judged.rating},),
    )


class Nobody:
    """Stands in for a job's context, which modules of templates import."""

    def report_image(self, name: str, image: Any) -> None:
        """Nobody looks at it."""


def steps(model: Any, train: Any, held_out: Any, *callbacks: Any, batch_size: int, first: int, last: int) -> None:
    """The train function is wrapped, as a callback with a hook for batches would make Keras fetch their metrics."""
    model.make_train_function()
    plain = model.train_function
    window = Window(first, last, -(-len(keras.tree.flatten(train)[0]) // batch_size))

    def timed(batches: Any) -> Any:
        logs = plain(batches)
        if found := window.step(time.perf_counter()):
            print(json.dumps(found), flush=True)
            os._exit(0)
        return logs

    model.train_function = timed
    model.fit(
        *train,
        validation_data=held_out,
        callbacks=[*callbacks],
        batch_size=batch_size,
        epochs=1000,
        verbose=0,
    )


def examples_of(template: str, network: str, folder: Path, target: str, values: dict[str, Any]) -> tuple[Any, ...]:
    """A model, examples to train on and to judge by, and what else is called at an epoch's end."""
    match template:
        case "text-classification":
            return texts(network, folder, target, values)
        case "translation":
            return translations(network, folder, values)
        case "summarisation":
            return summaries(network, folder, values)
        case "recommendation":
            return choices(folder, values)
        case "tabular":
            return table(folder, target, values)
    return READERS[template](network, folder, values)


def main() -> None:
    template, network, folder, target, first, last = sys.argv[1:]
    sys.path.insert(0, str(SHIPPED / template))
    values = get_template(template).complete({})
    running.begin(cast(Any, Nobody()))
    examples = examples_of(template, network, Path(folder), target, values)
    steps(*examples, batch_size=int(values["batch_size"]), first=int(first), last=int(last))


if __name__ == "__main__":
    main()
