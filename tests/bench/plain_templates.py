"""The networks of the templates on a dataset's own files, in a plain Keras script; prints {"steps_per_s": …}.

python -m tests.bench.plain_templates TEMPLATE NETWORK FOLDER TARGET FIRST LAST
"""

import csv
import importlib
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from modelyard.templates.specs import SHIPPED, get_template
from tests.bench import plain_recordings, plain_sequences

Columns = dict[str, Any]
READERS = {**plain_sequences.READERS, **plain_recordings.READERS}


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


def pictures(network: str, folder: Path, values: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The same of pictures in IDX files."""
    networks = importlib.import_module("picture_networks")
    (train, classes), held_out = (idx(folder, prefix) for prefix in ("train", "t10k"))
    shape = train.shape[1:]
    make = networks.founding if network == "cnn" else networks.residual
    model = networks.augmented(make(shape, int(classes.max()) + 1), shape, "none" if network == "cnn" else "shift", 0)
    model.compile(
        keras.optimizers.Adam(values["learning_rate"]), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model, (train, classes), held_out


def idx(folder: Path, prefix: str) -> tuple[Any, Any]:
    """Images uint8 [n, 28, 28, 1] and labels int64 [n]."""
    images = np.fromfile(folder / f"{prefix}-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return images, np.fromfile(folder / f"{prefix}-labels-idx1-ubyte", np.uint8, offset=8).astype(np.int64)


def pairs(network: str, folder: Path, values: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The same of pairs of texts, in two files a split."""
    from modelyard.templates.sequences import vocabulary as vocabularies
    from modelyard.templates.sequences.network import Network
    from modelyard.templates.sequences.pairs import Pairs, numbered
    from modelyard.templates.sequences.tokens import cut_all

    def split(name: str) -> Pairs:
        texts = [
            np.array((folder / f"{name}.{language}").read_bytes().splitlines(), object) for language in ("en", "it")
        ]
        return Pairs(texts[0], texts[1], cut_all(texts[0]), cut_all(texts[1]))

    train, held_out = split("train"), split("validation").some(np.arange(values["judged"]))
    most = [vocabularies.typical_length(of, 100) for of in (train.source_tokens, train.target_tokens)]
    known = [vocabularies.learn(of, values["vocabulary"]) for of in (train.source_tokens, train.target_tokens)]
    params = SimpleNamespace(**{**values, "network": network})
    model = Network(params, len(known[0]), len(known[1]), most[0], most[1])
    model.compile(keras.optimizers.Adam(values["learning_rate"], global_clipnorm=1.0), jit_compile=False)
    learnt, judged = (numbered(of, known[0], known[1], most[0], most[1]) for of in (train, held_out))
    return model, learnt, judged


def table(folder: Path, target: str, values: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The same of a table."""
    columns, figures, scaling = (importlib.import_module(name) for name in ("columns", "figures", "target"))
    (train, truth), held_out = (read(folder, split, target) for split in ("train", "validation"))
    numbers = {name: columns.learn_number(of) for name, of in train.items() if of.dtype != object}
    categories = {name: columns.learn_categories(of, 1000) for name, of in train.items() if of.dtype == object}
    encode = columns.encoder(numbers, categories)
    given, state = columns.read(encode, categories)
    scale = None if truth.dtype == object else scaling.learn_scale(truth, "auto")
    for width in (values["units"], values["units"] // 2):
        state = keras.layers.Dropout(values["dropout"])(keras.layers.Dense(width, activation="relu")(state))
    answer = keras.layers.Dense(1 if scale else 2, activation=None if scale else "softmax")(state)
    model = keras.Model(given, answer)
    optimizer = keras.optimizers.AdamW(values["learning_rate"], weight_decay=values["weight_decay"])
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


def steps(model: Any, train: Any, held_out: Any, batch_size: int, first: int, last: int) -> None:
    """The train function is wrapped, as a callback with a hook for batches would make Keras fetch their metrics."""
    model.make_train_function()
    plain = model.train_function
    ends: list[float] = []

    def timed(batches: Any) -> Any:
        logs = plain(batches)
        ends.append(time.perf_counter())
        if len(ends) == last:
            print(json.dumps({"steps_per_s": (last - first) / (ends[last - 1] - ends[first - 1])}), flush=True)
            os._exit(0)
        return logs

    model.train_function = timed
    model.fit(*train, validation_data=held_out, batch_size=batch_size, epochs=1000, verbose=0)


def main() -> None:
    template, network, folder, target, first, last = sys.argv[1:]
    sys.path.insert(0, str(SHIPPED / template))
    values = get_template(template).complete({})
    examples = (
        READERS[template](network, Path(folder), values)
        if template in READERS
        else texts(network, Path(folder), target, values)
        if template == "text-classification"
        else pictures(network, Path(folder), values)
        if template == "image-classification"
        else pairs(network, Path(folder), values)
        if template == "translation"
        else choices(Path(folder), values)
        if template == "recommendation"
        else table(Path(folder), target, values)
    )
    steps(*examples, int(values["batch_size"]), int(first), int(last))


if __name__ == "__main__":
    main()
