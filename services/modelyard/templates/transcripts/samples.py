"""What the network reads or hears of a few held-out examples."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.templates.samples import SHOWN, Samples, cut
from modelyard.templates.transcripts.alphabet import Alphabet
from modelyard.templates.transcripts.ctc import greedy
from modelyard.templates.transcripts.examples import Learnable


def transcribed(context: Context, model: keras.Model, held_out: Learnable, alphabet: Alphabet) -> Samples:
    """`held_out`: what the model is judged on."""
    places = spread(len(held_out), SHOWN)
    some = tf.constant(held_out.inputs[held_out.rows[places]])
    truth = [alphabet.text(numbers) for numbers in held_out.labels[places].tolist()]
    read: Callable[[], Any] = tf.function(lambda: greedy(model(some, training=False), alphabet.symbols)["transcript"])

    def lines() -> list[str]:
        texts = [text.decode() for text in read().numpy().tolist()]
        return [
            f"**{cut(text) or 'nothing'}** ({cut(true) or 'nothing'})" for text, true in zip(texts, truth, strict=True)
        ]

    return Samples(context, lines)
