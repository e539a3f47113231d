"""What a model says of a few held-out examples after each epoch, beside what it should say."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.job.values import Form

SHOWN = 4
"""Examples, where one says little."""
_LONGEST = 120


class Samples(keras.callbacks.Callback):
    """Shown with the job, and by `--watch` as it comes. Comes before the job's own callbacks."""

    def __init__(self, context: Context, lines: Callable[[], Iterable[str]]) -> None:
        """`lines` asks the model as it then is: a line an example, as Markdown, in brackets what it should be."""
        super().__init__()
        self._context = context
        self._lines = lines

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """At the end of each."""
        tell(self._context, epoch, self._lines())


def classified(context: Context, model: keras.Model, names: tuple[str, str], form: Form) -> Samples:
    """Of a model that answers probabilities of the dataset's classes; `names`: of its input and of the category."""
    split = context.held_out or "train"
    rows = context.data.readable(split, spread(context.splits[split], SHOWN), form)
    some = context.data.some(split, [*names], rows, form)
    # Now: what does not decode is left out of the split later, and rows are counted anew.
    paths = [context.example_path(split, row) for row in rows.tolist()]
    given, true = tf.constant(some[names[0]]), some[names[1]].tolist()
    ask = tf.function(lambda: model(given, training=False))

    def lines() -> Iterable[str]:
        for path, label, probabilities in zip(paths, true, ask().numpy(), strict=True):
            best = int(np.argmax(probabilities))
            should = context.classes[label] if label >= 0 else "not known"
            said = f"**{context.classes[best]}** {probabilities[best]:.2f}"
            yield f"{path}: {said} ({should})"

    return Samples(context, lines)


def tell(context: Context, epoch: int, lines: Iterable[str]) -> None:
    """For callbacks that have asked anyway."""
    head = f"after epoch {epoch + 1}, in brackets what it should be"
    context.report_text("samples", head + "".join(f"\n- {line}" for line in lines))


def cut(text: str) -> str:
    """On one line, and not too long for it."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
