"""Text that goes on: a network learns which symbol comes next, and writes."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from character_networks import bits, build
from numpy.typing import NDArray
from writer import LENGTH, SEED, TEMPERATURE, Writer

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.templates.corpus import Document, code_points, documents, is_cut, text_feature

BETWEEN = "\n"
"""What stands between two texts, where they are put one behind the other to be learnt."""
CUT = (
    "lines were split by their hash, which is nothing for a running text: its end is held out instead; files that are "
    "called train… and test… hold out whole texts"
)
PROMPT, SHOWN = 40, 8
"""Symbols of a prompt that is taken from what is held out, and how many there are."""


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export what writes."""
    params = context.params
    feature = text_feature(context, params.text)
    texts = documents(context, "train", feature)
    joined = code_points(BETWEEN.join(each.text for each in texts))
    symbols = learn_symbols(joined, params.symbols)
    train = windows(numbered(joined, symbols), params.window)
    if not len(train[0]):
        raise DatasetUnsuitable(
            f"split 'train' has {len(joined):,} symbols of text, and a window takes {params.window + 1:,}; say "
            "--set window=…",
            field="parameters.window",
        )
    held_out = documents(context, context.held_out, feature) if context.held_out else []
    judged = windows(numbered(code_points(BETWEEN.join(each.text for each in held_out)), symbols), params.window)
    context.report_text(
        "text",
        f"{len(joined):,} symbols in {len(texts):,} texts to learn from, {len(symbols):,} different ones"
        + (f"; {CUT}" if is_cut(context) and held_out else ""),
    )
    with context.strategy.scope():
        network = build(
            params.network,
            symbols=len(symbols) + 1,
            units=params.units,
            depth=params.depth,
            dropout=params.dropout,
            window=params.window,
        )
        compiled(network, -(-len(train[0]) // params.batch_size))
    writer = Writer(network, symbols)
    prompts = prompts_of(held_out or texts, symbols)
    network.fit(
        *train,
        batch_size=params.batch_size,
        validation_data=judged if len(judged[0]) else None,
        epochs=params.epochs,
        callbacks=[Samples(writer, prompts[0]), *context.callbacks()],
        verbose=2,
    )
    context.export(
        writer,
        signature=writer.signatures(),
        examples=examples(prompts, held_out or texts),
        task="text-generation",
        inputs={"prompt": "text", "so_far": "text", "text": "text"},
    )


def learn_symbols(points: NDArray[np.uint32], most: int) -> list[int]:
    """The most frequent code points, in their order."""
    found, counts = np.unique(points, return_counts=True)
    kept = np.sort(found[np.argsort(-counts, kind="stable")[:most]])
    return [int(point) for point in kept]


def numbered(points: NDArray[np.uint32], symbols: list[int]) -> NDArray[np.int32]:
    """Numbers of symbols; 0 for one that is not known."""
    known = np.array(symbols, np.uint32)
    places = np.searchsorted(known, points).clip(max=len(known) - 1)
    return np.where(known[places] == points, places + 1, 0).astype(np.int32)


def windows(numbers: NDArray[np.int32], length: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """One behind the other, [n, length], and what comes next in each."""
    count = max(0, (len(numbers) - 1) // length)
    shape = (count, length)
    return numbers[: count * length].reshape(shape), numbers[1 : count * length + 1].reshape(shape)


def compiled(network: keras.Model, steps: int) -> None:
    """For so many steps an epoch."""
    params = context.params
    total = steps * params.epochs
    rate = keras.optimizers.schedules.CosineDecay(
        params.learning_rate / 10,
        total,
        alpha=0.01,
        warmup_target=params.learning_rate,
        warmup_steps=min(100, total // 10),
    )
    network.compile(
        keras.optimizers.Adam(rate, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.MeanMetricWrapper(bits, name="bits")],
    )


class Samples(keras.callbacks.Callback):
    """What is written after each epoch."""

    def __init__(self, writer: Writer, prompt: str) -> None:
        super().__init__()
        self._writer = writer
        self._prompt = prompt
        self._write = tf.function(writer.generate)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Shown with the job, and by `--watch` as it comes."""
        said = self._write(
            tf.constant([self._prompt]), tf.constant(LENGTH), tf.constant(TEMPERATURE), tf.constant(SEED)
        )
        text = bytes(said["text"][0].numpy()).decode()
        context.report_text("sample", f"{self._prompt}|{text}")


def prompts_of(texts: list[Document], symbols: list[int]) -> list[str]:
    """Beginnings of texts, as far as their symbols are known; of one text, places in it that are evenly spread."""
    known = {chr(point) for point in symbols}
    if len(texts) >= SHOWN:
        pieces = [each.text[:PROMPT] for each in texts[:SHOWN]]
    else:
        whole = BETWEEN.join(each.text for each in texts)
        places = np.linspace(0, max(0, len(whole) - PROMPT), SHOWN).astype(np.int64).tolist()
        pieces = [whole[at : at + PROMPT] for at in places]
    found = ["".join(symbol for symbol in piece if symbol in known) for piece in pieces]
    return [each for each in found if each] or [chr(symbols[0])]


def examples(prompts: list[str], texts: list[Document]) -> dict[str, dict[str, Any]]:
    """What is asked when the model is exported."""
    given = np.array([each.encode() for each in prompts], np.bytes_)
    asked = {"length": np.int32(LENGTH // 5), "temperature": np.float32(TEMPERATURE), "seed": np.int32(SEED)}
    scored = [each.text[: 10 * PROMPT].encode() for each in texts[:SHOWN]]
    return {
        "serving_default": {"prompt": given},
        "generate": {"prompt": given, **asked},
        "continue": {"prompt": given, "so_far": np.array([b"\n"] * len(prompts), np.bytes_), **asked},
        "score": {"text": np.array(scored, np.bytes_)},
    }
