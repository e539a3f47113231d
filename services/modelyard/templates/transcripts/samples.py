"""What the network reads or hears of a few held-out examples."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.templates.samples import SHOWN, Samples, cut
from modelyard.templates.transcripts.alphabet import Alphabet
from modelyard.templates.transcripts.ctc import greedy


def transcribed(
    context: Context, model: keras.Model, held_out: tuple[NDArray[Any], NDArray[np.int32]], alphabet: Alphabet
) -> Samples:
    """`held_out`: examples and their labels, as the model is judged on them."""
    inputs, labels = held_out
    rows = spread(len(labels), SHOWN)
    some = tf.constant(inputs[rows])
    truth = [alphabet.text(numbers) for numbers in labels[rows].tolist()]
    read: Callable[[], Any] = tf.function(lambda: greedy(model(some, training=False), alphabet.symbols)["transcript"])

    def lines() -> list[str]:
        texts = [text.decode() for text in read().numpy().tolist()]
        return [
            f"**{cut(text) or 'nothing'}** ({cut(true) or 'nothing'})" for text, true in zip(texts, truth, strict=True)
        ]

    return Samples(context, lines)
