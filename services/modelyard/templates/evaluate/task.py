"""What a model's answers mean, decided once, on the first batch."""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import ModelUnsuitable

PROBABILITIES = "probabilities"
"""The output that is judged without being asked for."""
SUM_TOLERANCE = 1e-2
"""How far a row of probabilities may be from 1: float16 and bfloat16 are that coarse."""


class Reading(StrEnum):
    """How answers become probabilities, or stay numbers."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    SECOND_CLASS = "second class's probability"
    SECOND_CLASS_LOGIT = "second class's logit"
    NUMBER = "number"


def choose(task: str, outputs: str, answers: NDArray[np.float64], classes: Sequence[str]) -> Reading:
    """`answers` [n, k] of the first batch; `classes` are the dataset's. Raises ModelUnsuitable."""
    width = answers.shape[1]
    if task == "regression" or (task == "auto" and width == 1 and len(classes) != 2):
        if width != 1:
            raise ModelUnsuitable(f"a regression needs one number an example; the model gives {width}", field="task")
        numbers(classes)
        return Reading.NUMBER
    if width == 1:
        if len(classes) != 2:
            raise ModelUnsuitable(
                f"the model gives one number an example; that tells two classes apart, and there are {len(classes)}",
                field="task",
            )
        inside = bool(((answers >= 0) & (answers <= 1)).all())
        is_logit = outputs == "logits" or (outputs == "auto" and not inside)
        return Reading.SECOND_CLASS_LOGIT if is_logit else Reading.SECOND_CLASS
    if outputs != "auto":
        return Reading(outputs)
    if _are_probabilities(answers).all():
        return Reading.PROBABILITIES
    if ((answers >= 0) & (answers <= 1)).all():
        raise ModelUnsuitable(
            "the model's answers lie between 0 and 1, but do not sum to 1: one example has one class here. "
            "If they are logits, say so with --set outputs=logits",
            field="outputs",
        )
    return Reading.LOGITS


def probabilities(reading: Reading, answers: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """[n, classes]; `rows` [n] are the examples' numbers, for the message. Raises ModelUnsuitable for what are none."""
    answers = finite(answers, rows)
    if reading is Reading.LOGITS:
        powers = np.exp(answers - answers.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True))
    if reading is Reading.SECOND_CLASS_LOGIT:
        answers = 1 / (1 + np.exp(-np.clip(answers, -700, 700)))
    if reading in (Reading.SECOND_CLASS, Reading.SECOND_CLASS_LOGIT):
        answers = np.concatenate([1 - answers, answers], 1)
    good = _are_probabilities(answers)
    if not good.all():
        number = int(good.argmin())
        raise ModelUnsuitable(
            f"the answers for example {rows[number]} are no probabilities: they go from {answers[number].min():.4g} "
            f"to {answers[number].max():.4g} and sum to {answers[number].sum():.4g}. If they are logits, say so with "
            "--set outputs=logits",
            field="outputs",
        )
    return answers


def finite(answers: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same; raises ModelUnsuitable where one is no number."""
    good = np.isfinite(answers).all(1)
    if not good.all():
        number = int(good.argmin())
        value = answers[number][~np.isfinite(answers[number])][0]
        raise ModelUnsuitable(f"the model answers {value} for example {rows[number]}")
    return answers


def numbers(classes: Sequence[str]) -> NDArray[np.float64]:
    """The values that the class names stand for; raises ModelUnsuitable where they are no numbers."""
    values = []
    for name in classes:
        try:
            value = float(name)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ModelUnsuitable(
                f"the model gives one number an example, and class {name!r:.80} is no number that it could be compared "
                "with",
                field="task",
            )
        values.append(value)
    return np.array(values)


def _are_probabilities(answers: NDArray[np.float64]) -> NDArray[np.bool_]:
    inside = ((answers >= 0) & (answers <= 1 + SUM_TOLERANCE)).all(1)
    return np.asarray(inside & (np.abs(answers.sum(1) - 1) <= SUM_TOLERANCE))
