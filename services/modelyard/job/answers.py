"""What a model's answers are called: by its task, as everybody who asks a model of that task expects them.

…-classification   probabilities float32 [n, classes], or scores where they are none, and label string [n]
…-regression       value float32 [n]
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from modelyard.job.errors import ExportInvalid
from modelyard.job.signatures import Served, Signature, from_logits, sum_to_one

CLASSIFICATION, REGRESSION = "-classification", "-regression"


def by_task(model: Any, served: Served, task: str, classes: Sequence[str]) -> Served:
    """With the answers named, where the model has one that fits its task; every other model keeps its own names.

    Raises ExportInvalid for a classifier that answers another number of classes.
    """
    named: dict[str, Signature] = {}
    for name, signature in served.signatures.items():
        answer = _only_answer(signature)
        if answer is None:
            return served
        if task.endswith(CLASSIFICATION) and answer.ndim == 2 and classes:
            if answer.shape[1] != len(classes):
                raise ExportInvalid(
                    f"the model answers {answer.shape[1]} numbers and there are {len(classes)} classes "
                    f"({', '.join(list(classes)[:5])}{', …' if len(classes) > 5 else ''}): make the last layer "
                    f"Dense({len(classes)}, activation='softmax'), or say which: context.export(model, classes=[…])"
                )
            logits = from_logits(model)
            call = _classes(
                signature.call, "probabilities" if logits or sum_to_one(answer) else "scores", classes, logits
            )
        elif task.endswith(REGRESSION) and answer.size == len(answer):
            call = _value(signature.call)
        else:
            return served
        named[name] = replace(signature, call=call)
    return replace(served, signatures=named, classes=classes if task.endswith(CLASSIFICATION) else served.classes)


def _only_answer(signature: Signature) -> Any:
    """The one output of floats, for the examples; None where there are several, or others."""
    given = signature.call(*(tf.constant(signature.examples[key]) for key in signature.specs))
    values = [np.asarray(value) for value in given.values()]
    return values[0] if len(values) == 1 and values[0].ndim and values[0].dtype.kind == "f" else None


def _classes(call: Callable[..., Any], output: str, classes: Sequence[str], logits: bool) -> Callable[..., Any]:
    labels = tf.constant(list(classes))

    def answer(*inputs: Any) -> dict[str, Any]:
        (given,) = _values(call(*inputs))
        found = tf.nn.softmax(given) if logits else given
        return {output: found, "label": tf.gather(labels, tf.argmax(found, axis=-1))}

    return answer


def _value(call: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*inputs: Any) -> dict[str, Any]:
        (given,) = _values(call(*inputs))
        return {"value": tf.reshape(given, (-1,))}

    return answer


def _values(given: Mapping[str, Any]) -> list[Any]:
    return list(given.values())
