"""How fast a served model writes texts: `python -m tests.bench writing`.

Translations a second of the signature `greedy`, which has its loop in the graph, against the same network in a loop of
Python around a compiled step, as a plain script has it. Both take texts and give the same texts, in one process, one
after the other, after both have been traced; they take turns in being first.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.bench.rows import Row, at_least_times
from tests.support.stack import plain_environment

NETWORKS = ("gru", "transformer")
WORDS, MOST = 8000, 18
TIMES = {64: 5, 1: 20}
"""Texts at once -> how often they are written each time."""


def measure(pairs: int) -> list[Row]:
    """Texts a second of each network."""
    rows = []
    for network in NETWORKS:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.writing", network, str(pairs)],
            env=plain_environment() | {"TF_CPP_MIN_LOG_LEVEL": "2"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{network} ended with {done.returncode}:\n{done.stderr}")
        found = json.loads(done.stdout.splitlines()[-1])
        for count, took in found.items():
            what = f"texts written by a {network}, {count} at once"
            rows.append(Row(what, took["ours"], "/s", took["plain"], "a loop of Python", at_least_times(0.8)))
    return rows


def _main(network: str, pairs: int) -> None:
    """Prints {TEXTS: {"ours": […], "plain": […]}, …}, texts a second."""
    import numpy as np
    import tensorflow as tf

    from modelyard.templates.sequences.network import Network
    from modelyard.templates.sequences.speaking import Speaker
    from modelyard.templates.sequences.vocabulary import END, Vocabulary

    params = SimpleNamespace(network=network, units=192, layers=2, dropout=0.0, copy=True, blind=False)
    words = [f"word{number}".encode() for number in range(WORDS)]
    vocabulary = Vocabulary(words)
    speaker = Speaker(Network(params, len(vocabulary), len(vocabulary), MOST, MOST), vocabulary, vocabulary, MOST, 4)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = str(Path(name) / "model")
        module = tf.Module()
        module.speaker = speaker
        tf.saved_model.save(module, folder, signatures={"greedy": speaker.signatures("source", "greedy")["greedy"]})
        greedy = tf.saved_model.load(folder).signatures["greedy"]

    def next_token(place: Any, last: Any, fixed: Any, state: Any) -> Any:
        likely, state = speaker._next(place, last, fixed, state)
        return tf.argmax(likely, axis=-1, output_type=tf.int32), state

    begin, step = tf.function(speaker._begun), tf.function(next_token)

    def ours(texts: Any) -> Any:
        return greedy(source=texts)["text"].numpy()

    def plain(texts: Any) -> Any:
        source, fixed, state = begin(texts)
        count = len(texts)
        last, alive, found = tf.fill((count,), END), np.full(count, True), np.zeros((count, MOST), np.int32)
        for place in range(MOST):
            last, state = step(tf.constant(place), last, fixed, state)
            found[:, place] = np.where(alive, last.numpy(), 0)
            alive &= found[:, place] != END
            if not alive.any():
                break
        return speaker._texts(tf.constant(found), source).numpy()

    took: dict[int, dict[str, list[float]]] = {}
    for count, times in TIMES.items():
        texts = tf.constant([b" ".join(random.choice(words, 8).tolist()) for _ in range(count)])
        assert ours(texts).tolist() == plain(texts).tolist()
        took[count] = {"ours": [], "plain": []}
        ways = [("ours", ours), ("plain", plain)]
        for pair in range(pairs):
            for key, way in ways if pair % 2 else ways[::-1]:
                start = time.perf_counter()
                for _ in range(times):
                    way(texts)
                took[count][key].append(times * count / (time.perf_counter() - start))
    print(json.dumps(took))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
