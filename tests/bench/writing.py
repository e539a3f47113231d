"""How fast a served model writes texts: `python -m tests.bench writing`.

Translations a second of the signature `greedy`, which has its loop in the graph, against the same network in a loop of
Python around a compiled step, as a plain script has it. Both take texts and give texts, in a process of their own.
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
TEXTS, WORDS, MOST = 64, 8000, 18


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
        what = f"texts written by a {network}, {TEXTS} at once"
        rows.append(Row(what, found["ours"], "/s", found["plain"], "a loop of Python", at_least_times(0.8)))
    return rows


def _main(network: str, pairs: int) -> None:
    """Prints {"ours": […], "plain": […]}."""
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
    texts = tf.constant([b" ".join(random.choice(words, 8).tolist()) for _ in range(TEXTS)])
    with tempfile.TemporaryDirectory() as name:
        folder = str(Path(name) / "model")
        module = tf.Module()
        module.speaker = speaker
        tf.saved_model.save(module, folder, signatures={"greedy": speaker.signatures("source", "greedy")["greedy"]})
        greedy = tf.saved_model.load(folder).signatures["greedy"]
    begin, step = tf.function(speaker._begun), tf.function(speaker._next)

    def ours() -> Any:
        return greedy(source=texts)["text"].numpy()

    def plain() -> Any:
        source, fixed, state = begin(texts)
        last, alive, found = tf.fill((TEXTS,), END), np.full(TEXTS, True), np.zeros((TEXTS, MOST), np.int32)
        for place in range(MOST):
            likely, state = step(tf.constant(place), last, fixed, state)
            last = tf.argmax(likely, axis=-1, output_type=tf.int32)
            found[:, place] = np.where(alive, last.numpy(), 0)
            alive &= found[:, place] != END
            if not alive.any():
                break
        return speaker._texts(tf.constant(found), source).numpy()

    assert ours().tolist() == plain().tolist()
    took: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(pairs):
        for key, way in (("ours", ours), ("plain", plain)):
            start = time.perf_counter()
            for _ in range(5):
                way()
            took[key].append(5 * TEXTS / (time.perf_counter() - start))
    print(json.dumps(took))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
