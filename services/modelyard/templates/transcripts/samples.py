"""What the network reads or hears of a few held-out examples after each epoch."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job.session import Context
from modelyard.templates.transcripts.alphabet import Alphabet
from modelyard.templates.transcripts.ctc import greedy

SHOWN = 3
_LONGEST = 120


class Samples(keras.callbacks.Callback):
    """Reports them beside what they should be. Comes before the job's own callbacks."""

    def __init__(self, context: Context, held_out: tuple[NDArray[Any], NDArray[np.int32]], alphabet: Alphabet) -> None:
        """`held_out`: examples and their labels, as the model is judged on them."""
        super().__init__()
        self._context = context
        inputs, labels = held_out
        rows = np.unique(np.linspace(0, len(labels) - 1, SHOWN).astype(np.int64))
        self._inputs = tf.constant(inputs[rows])
        self._truth = [alphabet.text(numbers) for numbers in labels[rows].tolist()]
        self._read = tf.function(
            lambda: greedy(self.model(self._inputs, training=False), alphabet.symbols)["transcript"]
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Shown with the job, and by `--watch` as it comes."""
        read = [text.decode() for text in self._read().numpy().tolist()]
        lines = (f"\n- **{_cut(one)}** ({_cut(true)})" for one, true in zip(read, self._truth, strict=True))
        self._context.report_text("samples", f"after epoch {epoch + 1}, in brackets what it should be" + "".join(lines))


def _cut(text: str) -> str:
    line = " ".join(text.split()) or "nothing"
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
