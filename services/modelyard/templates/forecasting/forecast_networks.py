"""What forecasts: from a window of the past and the calendar, so many steps at once.

Each network answers what the season alone does not: where it answers nothing, the forecast is the mean of the last day
and the last week (or whatever comes again). A window is brought to a mean of 0 and a deviation of 1 first, so that a
series may grow. Source of that: Kim 2022, "Reversible Instance Normalization".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from moments import calendar

SERIES_WIDTH = 8


@dataclass(frozen=True, slots=True)
class Form:
    """What goes in and what comes out."""

    window: int
    horizon: int
    step: int
    """In seconds."""
    span: int
    """Seconds that the training data lasts."""
    seasons: Sequence[int]
    """In steps, no longer than the window."""
    series: int
    """How many are known; 1 = they are not told apart."""
    least: float
    """The least that a window's deviation counts as, in the values' unit."""


class Standard(layers.Layer):
    """history [n, window] -> values [n, window] of mean 0 and deviation 1, where missing 0; which are known; mean and
    deviation [n, 1]."""

    def __init__(self, least: float) -> None:
        super().__init__(name="standard")
        self._least = least

    def call(self, history: Any) -> Any:
        """The four."""
        known = tf.cast(tf.math.is_finite(history), tf.float32)
        values = tf.where(known > 0, history, tf.zeros_like(history))
        count = tf.maximum(tf.reduce_sum(known, 1, keepdims=True), 1.0)
        mean = tf.reduce_sum(values, 1, keepdims=True) / count
        apart = (values - mean) * known
        deviation = tf.sqrt(tf.reduce_sum(apart**2, 1, keepdims=True) / count + self._least**2)
        return apart / deviation, known, mean, deviation


class Calendar(layers.Layer):
    """start int64 [n] -> what the calendar says of the steps from `first` to `last`, counted from there:
    [n, steps, features]."""

    def __init__(self, form: Form, first: int, last: int, name: str) -> None:
        super().__init__(name=name)
        self._form = form
        self._steps = np.arange(first, last, dtype=np.int64) * form.step

    def call(self, start: Any) -> Any:
        """See the class."""
        return calendar(start[:, tf.newaxis] + self._steps, self._form.step, self._form.span)


def build(network: str, form: Form, *, units: int, dropout: float) -> keras.Model:
    """Takes {"history": float32 [n, window], "start": int64 [n], "series": int32 [n]}, answers float32 [n, horizon]."""
    history = keras.Input((form.window,), dtype="float32", name="history")
    start = keras.Input((), dtype="int64", name="start")
    series = keras.Input((), dtype="int32", name="series")
    values, known, mean, deviation = Standard(form.least)(history)
    ahead = Calendar(form, 0, form.horizon, "calendar_ahead")(start)
    seasonal = ops.stack([_again(values, form, season) for season in form.seasons or (1,)], axis=-1)
    if network == "linear":
        change = _linear(values, ahead, form)
    else:
        before = Calendar(form, -form.window, 0, "calendar_before")(start)
        past = ops.concatenate([ops.expand_dims(values, -1), ops.expand_dims(known, -1), before], axis=-1)
        state = layers.Dropout(dropout)(READERS[network](past, units))
        if form.series > 1:
            who = layers.Embedding(form.series + 1, SERIES_WIDTH, name="who")(series)
            state = ops.concatenate([state, who], axis=-1)
        change = _ahead(state, ahead, seasonal, form, units, dropout)
    forecast = mean + deviation * (ops.mean(seasonal, axis=-1) + change)
    return keras.Model({"history": history, "start": start, "series": series}, forecast, name=f"{network}-forecaster")


def _again(values: Any, form: Form, season: int) -> Any:
    """The last season, repeated: [n, horizon]."""
    steps = np.arange(form.horizon)
    places = form.window + steps - (steps // season + 1) * season
    return ops.take(values, places, axis=1)


def _linear(values: Any, ahead: Any, form: Form) -> Any:
    """Each step of the forecast is a weighted sum of the window, and of the calendar."""
    of_window = layers.Dense(form.horizon, kernel_initializer="zeros")(values)
    of_calendar = layers.Dense(form.horizon, kernel_initializer="zeros")(layers.Flatten()(ahead))
    return of_window + of_calendar


def _ahead(state: Any, ahead: Any, seasonal: Any, form: Form, units: int, dropout: float) -> Any:
    """The same layers for each step ahead: what was read, the calendar of that step, and what the season says of it."""
    repeated = ops.repeat(ops.expand_dims(state, 1), form.horizon, axis=1)
    inner = layers.Dense(units, activation="gelu")(ops.concatenate([repeated, ahead, seasonal], axis=-1))
    inner = layers.Dense(units, activation="gelu")(layers.Dropout(dropout)(inner))
    return ops.squeeze(layers.Dense(1, kernel_initializer="zeros")(inner), axis=-1)


def _lstm(past: Any, units: int) -> Any:
    return layers.LSTM(units)(past)


def _cnn(past: Any, units: int) -> Any:
    """Causal, each layer twice as far apart, until the whole window is seen. Source: Bai 2018, arXiv:1803.01271."""
    state = layers.Dense(units)(past)
    apart = 1
    while apart < past.shape[1]:
        inner = layers.Conv1D(units, 3, dilation_rate=apart, padding="causal", activation="gelu")(state)
        state = state + layers.Dense(units)(inner)
        apart *= 2
    return layers.LayerNormalization()(state[:, -1])


READERS = {"lstm": _lstm, "cnn": _cnn}
