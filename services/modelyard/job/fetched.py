"""Metrics of a step, fetched from the device."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from modelyard.job.errors import Diverged


def check_finite(metrics: Mapping[str, float], epoch: int, step: int) -> None:
    """Raises Diverged for a loss that is no number; `epoch` counts from 0."""
    loss = metrics.get("loss", 0.0)
    if not math.isfinite(loss):
        raise Diverged(
            f"the loss became {loss} in epoch {epoch + 1}, by step {step}; "
            "try a smaller learning rate. The last good checkpoint is kept."
        )


def numbers(logs: Any) -> dict[str, float]:
    """Fetch values from the device; a metric of many values (one a class) has no single number."""
    if not isinstance(logs, Mapping):
        return {}
    return {name: float(value) for name, value in logs.items() if not isinstance(value, str) and np.ndim(value) == 0}
