"""What the network says of a few held-out texts after each epoch, and how near that is to what it should say."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.templates.samples import SHOWN, cut, tell
from modelyard.templates.sequences.pairs import Pairs
from modelyard.templates.sequences.speaking import Speaker

Score = Callable[[list[str], list[str]], float]


class Judging(keras.callbacks.Callback):
    """Adds a metric to the logs of an epoch, and reports samples side by side. Comes before the job's own callbacks."""

    def __init__(
        self, context: Context, speaker: Speaker, pairs: Pairs, metric: str, score: Score, batch_size: int
    ) -> None:
        super().__init__()
        self._context = context
        self._pairs, self._metric, self._score, self._batch_size = pairs, metric, score, batch_size
        # Long texts beside long ones: a batch takes as long as its longest.
        self._order = np.argsort([len(tokens) for tokens in pairs.source_tokens], kind="stable")
        self._say = tf.function(speaker.greedy, input_signature=[tf.TensorSpec((None,), tf.string)])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        answers = [""] * len(self._pairs)
        for start in range(0, len(answers), self._batch_size):
            rows = self._order[start : start + self._batch_size]
            said = self._say(tf.constant(self._pairs.source[rows]))["text"].numpy()
            for row, text in zip(rows.tolist(), said.tolist(), strict=True):
                answers[row] = text.decode()
        logs[f"val_{self._metric}"] = self._score(answers, [_text(each) for each in self._pairs.target])
        rows = spread(len(answers), SHOWN).tolist()
        tell(
            self._context,
            epoch,
            (
                f"{cut(_text(self._pairs.source[row]))}\n  → **{cut(answers[row])}**\n"
                f"  ({cut(_text(self._pairs.target[row]))})"
                for row in rows
            ),
        )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
