"""The number that is learnt: brought to the network's range for training, and back in the served graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable

LONG_TAIL = 100.0


@dataclass(frozen=True, slots=True)
class Scale:
    """value -> (value - mean) / deviation, of the logarithm where `log`."""

    mean: float
    deviation: float
    log: bool
    most: float
    """The largest training value, in deviations: a logarithm's answers are not carried further than a little beyond."""

    def to_network(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """[n] -> [n]."""
        exact = values.astype(np.float64)
        return (((np.log1p(exact) if self.log else exact) - self.mean) / self.deviation).astype(np.float32)

    def to_value(self, answers: Any) -> Any:
        """The inverse, of tensors of any shape."""
        if self.log:
            return ops.expm1(ops.minimum(answers, self.most + 0.1) * self.deviation + self.mean)
        return answers * self.deviation + self.mean


def learn_scale(values: NDArray[Any], asked: str) -> Scale:
    """`asked`: auto, standard or log; raises DatasetUnsuitable for a logarithm of numbers that have none."""
    exact = values.astype(np.float64)
    tail = exact.min() >= 0 and exact.max() > LONG_TAIL * max(float(np.median(exact)), 1e-9)
    log = asked == "log" or (asked == "auto" and bool(tail))
    if log and exact.min() <= -1:
        raise DatasetUnsuitable(
            f"the target has {exact.min():g}, which has no logarithm; use --set target_scale=standard",
            field="parameters.target_scale",
        )
    scaled = np.log1p(exact) if log else exact
    mean, deviation = float(scaled.mean()), float(scaled.std()) or 1.0
    return Scale(mean, deviation, log, float((scaled.max() - mean) / deviation))
