"""What is served: the values that came last, and the time of the last one, in; what comes next, and when, out."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from moments import iso, seconds

from modelyard.templates.series import Columns, lasting
from modelyard.templates.windows import KNOWN


class Forecaster(keras.Model):
    """Takes the dataset's own names: {value: float32 [n, window], time: string [n], series: string [n]}."""

    def __init__(
        self, network: keras.Model, columns: Columns, names: list[bytes], window: int, horizon: int, step: int
    ) -> None:
        super().__init__(name="forecaster")
        self.network = network
        self.columns = columns
        self.window, self.horizon, self.step = window, horizon, step
        rows = tf.lookup.KeyValueTensorInitializer(tf.constant(names), tf.range(len(names)))
        self.places = tf.lookup.StaticHashTable(rows, len(names))
        self.built = True

    def specs(self) -> dict[str, Any]:
        """What it takes."""
        found = {
            self.columns.value: tf.TensorSpec((None, self.window), tf.float32),
            self.columns.time: tf.TensorSpec((None,), tf.string),
        }
        return found | ({self.columns.series: tf.TensorSpec((None,), tf.string)} if self.columns.series else {})

    def call(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`forecast` float32 [n, horizon] and `times` string [n, horizon]."""
        history = given[self.columns.value]
        last = seconds(given[self.columns.time], self.columns.time)
        known = tf.reduce_sum(tf.cast(tf.math.is_finite(history), tf.int32), axis=1)
        least = int(KNOWN * self.window)
        message = (
            f"{self.columns.value} is the last {self.window} values, {lasting(self.step)} from one to the next, of "
            f"which at least {least} must be known; known are only"
        )
        enough = tf.debugging.Assert(tf.reduce_all(known >= least), [message, tf.reduce_min(known)])
        with tf.control_dependencies([enough] if enough is not None else []):
            start = last + self.step
        series = self.places.lookup(given[self.columns.series]) if self.columns.series else tf.zeros_like(known)
        forecast = self.network({"history": history, "start": start, "series": series}, training=False)
        ahead = start[:, tf.newaxis] + tf.range(self.horizon, dtype=tf.int64) * self.step
        return {"forecast": forecast, "times": iso(ahead)}
