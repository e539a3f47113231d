"""What is reached without looking at an example: the least that a model has to beat.

Classes: always the class that is most frequent in training, and for `log_loss` always the frequencies of training (the
best constant answer). Numbers: always the mean of training, and for `mae` its median.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.evaluate.classification import EPSILON

Floors = dict[str, dict[str, Any]]
"""Metric -> {"value": number, "by": what reaches it}."""


def of_classes(training: NDArray[np.int64], judged: NDArray[np.int64], names: tuple[str, ...], source: str) -> Floors:
    """`training` and `judged` [C]: examples by class; `source`: the split that the frequencies are of."""
    most = int(training.argmax())
    always = f"always {names[most]}, the most frequent class of {source}"
    total = int(judged.sum())
    priors = np.clip(training / max(1, training.sum()), EPSILON, 1 - EPSILON)
    there = int((judged > 0).sum())
    found: Floors = {
        "accuracy": {"value": float(judged[most] / total), "by": always},
        "log_loss": {
            "value": float(-(judged * np.log(priors)).sum() / total),
            "by": f"always the frequencies of {source}",
        },
        "macro_f1": {"value": float(2 * judged[most] / (judged[most] + total) / there), "by": always},
        "macro_recall": {"value": float((judged[most] > 0) / there), "by": always},
        "macro_precision": {"value": float(judged[most] / total / there), "by": always},
    }
    if len(names) == 2 and (judged > 0).all():
        found["auc"] = {"value": 0.5, "by": "the same score for all"}
    return found


def of_numbers(training: NDArray[np.float64], judged: NDArray[np.float64], source: str) -> Floors:
    """`training` and `judged`: the true values, [n] each."""
    mean, median = float(training.mean()), float(np.median(training))
    squared = float(((judged - mean) ** 2).mean())
    mean_by = f"always {mean:.4g}, the mean of {source}"
    found: Floors = {
        "rmse": {"value": math.sqrt(squared), "by": mean_by},
        "mae": {"value": float(np.abs(judged - median).mean()), "by": f"always {median:.4g}, the median of {source}"},
    }
    if float(judged.var()) > 0:
        found["r2"] = {"value": 1 - squared / float(judged.var()), "by": mean_by}
    return found
