"""Fits of all kinds of data and models that go on after a stop: their end is what it would have been."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.session import Context
from tests.integration.job.attempts import interrupted, network, rows, same

pytestmark = [
    pytest.mark.timeout(300),
    # Keras's own, of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


X, Y = rows(40)
WEIGHTS = np.linspace(0, 1, 40)


def two_inputs(**compiled: Any) -> Any:
    """A model that takes a list."""
    inputs = [keras.Input((2,)), keras.Input((1,))]
    joined = keras.layers.Dropout(0.3)(keras.layers.Concatenate()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(joined))
    model.compile("adam", "mse", run_eagerly=True)
    return model


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (network, {"x": X, "y": Y, "sample_weight": WEIGHTS}),
        (network, {"x": X, "y": Y, "validation_split": 0.5, "epochs": 4}),
        (two_inputs, {"x": [X[:, :2], X[:, 2:]], "y": Y}),
    ],
    ids=["weights", "a validation split", "a list of inputs"],
)
def test_arrays_of_any_kind_come_in_exact_order(tmp_path: Path, make: Any, given: dict[str, Any]) -> None:
    def code(context: Context) -> Any:
        model = make()
        history = model.fit(**{"epochs": 2, "batch_size": 10, "verbose": 0, **given})
        assert context.training.step == 8
        return model.get_weights(), history.history

    same(*interrupted(tmp_path, code, 7))


class Batches(keras.utils.PyDataset):
    """Batches of ten."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> Any:
        return X[10 * number :][:10], Y[10 * number :][:10]


class OwnStep(keras.Model):
    """Two nets that learn in turn; it cannot be called, and its second optimizer is its own."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = network(), network()
        self.more = {"other": keras.optimizers.Adam(0.01)}
        self.loss_mean = keras.metrics.Mean(name="loss")

    def train_step(self, data: Any) -> Any:
        for net, optimizer in ((self.one, self.optimizer), (self.other, self.more["other"])):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((net(data[0], training=True) - data[1]) ** 2)
            weights = net.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.loss_mean.update_state(loss)
        return {"loss": self.loss_mean.result()}


class Criticised(keras.Model):
    """Takes and answers what its net does; a critic in it is trained by a callback alone."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.critic = network(), network()

    def call(self, x: Any, training: bool = False) -> Any:
        return self.net(x, training=training)


class Criticises(keras.callbacks.Callback):
    """Trains the critic."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.critic.train_on_batch(*rows(8))


@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
def test_an_optimizer_that_only_a_callback_uses_goes_on(tmp_path: Path) -> None:
    def code(context: Context) -> Any:
        model = Criticised()
        model.compile("adam", "mse", run_eagerly=True)
        model.fit(*rows(40), batch_size=20, epochs=3, verbose=0, callbacks=[Criticises()])
        return model.get_weights()

    same(*interrupted(tmp_path, code, 4))


def own_step() -> Any:
    model = OwnStep()
    model.compile("adam", run_eagerly=True)
    return model


def endless() -> Any:
    while True:
        yield from (Batches()[number] for number in range(4))


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (two_inputs, {"x": [tf.constant(X[:, :2]), tf.constant(X[:, 2:])], "y": tf.constant(Y), "batch_size": 10}),
        (network, {"x": Batches}),
        (network, {"x": endless, "steps_per_epoch": 4}),
        (own_step, {"x": X, "y": Y, "batch_size": 10}),
        (own_step, {"x": endless, "steps_per_epoch": 4}),
    ],
    ids=["tensors", "PyDataset", "generator", "a step of its own", "both"],
)
def test_what_has_its_variables_from_the_first_step_on_goes_on(
    tmp_path: Path, make: Any, given: dict[str, Any]
) -> None:
    def code(context: Context) -> Any:
        model = make()
        known = {**given, "x": given["x"]()} if callable(given["x"]) else given
        model.fit(**known, epochs=2, shuffle=not callable(given["x"]) and make is own_step, verbose=0)
        return model.get_weights()

    same(*interrupted(tmp_path, code, 3))
