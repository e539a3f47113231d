"""What people judge an answer by."""

from typing import Any

import keras
from keras import ops
from target import Scale


class RootMeanSquaredError(keras.metrics.Mean):
    """In the target's own units."""

    def __init__(self, scale: Scale) -> None:
        super().__init__(name="rmse")
        self._scale = scale

    def update_state(self, truth: Any, answers: Any, sample_weight: Any = None) -> None:
        """Both as the network has them, [n] and [n, 1]."""
        difference = self._scale.to_value(ops.reshape(truth, (-1,))) - self._scale.to_value(ops.reshape(answers, (-1,)))
        super().update_state(ops.square(difference), sample_weight)

    def result(self) -> Any:
        """One number."""
        return ops.sqrt(super().result())


class AreaUnderCurve(keras.metrics.AUC):
    """Of two classes: how often a row of the second one gets more of its probability than a row of the first."""

    def __init__(self) -> None:
        super().__init__(num_thresholds=1000, name="auc")

    def update_state(self, truth: Any, answers: Any, sample_weight: Any = None) -> None:
        """int [n], and probabilities [n, 2]."""
        super().update_state(truth, answers[:, 1], sample_weight)
