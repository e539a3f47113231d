"""Jobs that go on after a stop: what they end with is what they would have ended with."""

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelyard.foundation.sandbox.outputs import copy_out
from modelyard.foundation.sandbox.policy import Limits
from modelyard.job import checkpoints, remembered, training
from modelyard.job.messages import Checkpoint
from modelyard.job.session import Context
from tests.integration.job.attempts import attempt, interrupted, network, rows, same

pytestmark = [
    pytest.mark.timeout(300),
    # Keras's own, of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


@pytest.mark.parametrize("stops", [(4,), (10, 20)])
def test_steps_that_run_together_are_each_trained_once(tmp_path: Path, stops: tuple[int, ...]) -> None:
    def code(context: Context) -> Any:
        model = network(steps_per_execution=4, run_eagerly=False)
        model.fit(*rows(40), batch_size=4, epochs=3, verbose=0)
        assert context.training.step == 30
        return model.get_weights()

    same(*interrupted(tmp_path, code, *stops))


class Fails(keras.callbacks.Callback):
    """Breaks a fit off in its second step."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 1:
            raise MemoryError


class MadeAnew(keras.callbacks.Callback):
    """As one that thaws layers does it."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.make_train_function(force=True)


def test_each_step_is_counted_once_after_a_failed_fit_and_where_the_train_function_is_made_anew(tmp_path: Path) -> None:
    def code(context: Context) -> Any:
        model = network()
        with pytest.raises(MemoryError):
            model.fit(*rows(40), batch_size=4, verbose=0, callbacks=[Fails()])
        model.train_on_batch(*rows(4))
        steps = [context.training.step]
        for callbacks in ([], [MadeAnew()]):
            model.fit(*rows(40), batch_size=4, verbose=0, callbacks=callbacks)
            steps.append(context.training.step)
        return steps

    assert attempt(tmp_path / "job", code)[0] == [2, 12, 22]


SCORES = [5.0, 4.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]


class Scored(keras.callbacks.Callback):
    """Says how good each epoch is."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["score"] = SCORES[epoch]


def watched(context: Context) -> Any:
    """A fit that ends early, behind its sixth epoch."""
    model = network()
    kept: dict[str, Any] = {"monitor": "score", "mode": "min"}
    history = model.fit(
        *rows(40),
        batch_size=20,
        epochs=9,
        verbose=0,
        callbacks=[
            Scored(),
            keras.callbacks.ReduceLROnPlateau(patience=2, **kept),
            keras.callbacks.ModelCheckpoint(
                "best/{epoch}.weights.h5", save_best_only=True, save_weights_only=True, **kept
            ),
            keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True, **kept),
        ],
    )
    files = sorted(path.name for path in Path("best").iterdir())
    assert context.training.metrics["score"] == 2.0
    return model.get_weights(), history.history, history.epoch, files


@pytest.mark.parametrize("stops", [(3,), (5, 10), (9,)])
def test_callbacks_that_compare_epochs_know_those_before_the_stop(tmp_path: Path, stops: tuple[int, ...]) -> None:
    whole, ended = interrupted(tmp_path, watched, *stops)
    same(whole, ended)
    assert whole[2] == [0, 1, 2, 3, 4, 5]
    assert whole[3] == ["1.weights.h5", "2.weights.h5", "3.weights.h5"]


def test_of_the_models_that_were_written_the_newest_goes_along_and_older_ones_while_they_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "MAX_OLDER_BYTES", 20)
    for epoch in range(4):
        path = tmp_path / f"m{epoch}.keras"
        path.write_bytes(b"0" * 10)
        os.utime(path, ns=(epoch, epoch))
    saver = keras.callbacks.ModelCheckpoint(tmp_path / "m{epoch}.keras", save_best_only=True)
    assert sorted(path.name for path in remembered.remember([saver]).files.values()) == [
        "m1.keras",
        "m2.keras",
        "m3.keras",
    ]


def test_a_fit_that_has_ended_early_is_not_taken_up_again(tmp_path: Path) -> None:
    whole, heard = attempt(tmp_path / "whole", watched)
    assert heard.checkpoint.step == 12
    late, more = attempt(tmp_path / "late", watched, left=heard.checkpoint)
    same(whole, late)
    assert more.stop.training is not None
    assert more.stop.training.step == 12


def several(context: Context) -> Any:
    """A teacher and its student, what lies between them, and the teacher once more."""
    teacher, student, seen = network(), network(), []
    for model, epochs in ((teacher, 2), (student, 3), (teacher, 2)):
        history = model.fit(*rows(40), batch_size=20, epochs=epochs, verbose=0)
        seen += [teacher.get_weights(), student.get_weights(), history.history["loss"], history.epoch]
        seen.append(np.random.permutation(9))
    return seen


@pytest.mark.parametrize("stops", [(3,), (7, 12)])
def test_models_of_earlier_fits_are_what_they_were(tmp_path: Path, stops: tuple[int, ...]) -> None:
    same(*interrupted(tmp_path, several, *stops))


def test_a_fit_whose_end_is_too_large_to_go_along_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "MAX_FINISHED_BYTES", 0)
    monkeypatch.setattr(checkpoints, "prune", lambda *_: None)
    whole, _ = attempt(tmp_path / "whole", several)
    _, first = attempt(tmp_path / "first", several, stop_at=7)
    last, heard = attempt(tmp_path / "last", several, left=first.checkpoint, every_s=0)
    same(whole, last)
    said = capsys.readouterr().out
    assert said.count("an attempt that goes on behind it trains it again") == 3, "once an attempt"
    fits = [state_of(message)["fit"] for message in heard.checkpoints]
    assert fits == sorted(fits)
    assert fits[0] == 2, "what is trained again leaves the newest checkpoint the newest"


def test_of_many_fits_the_first_go_along_and_a_checkpoint_stays_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "MOST_FINISHED", 1)
    whole, _ = attempt(tmp_path / "whole", several)
    _, first = attempt(tmp_path / "first", several, stop_at=12)
    assert [path.name for path in (Path(first.checkpoint.path) / "finished").iterdir()] == ["1"]
    same(whole, attempt(tmp_path / "last", several, left=first.checkpoint)[0])


def test_the_worker_takes_every_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "prune", lambda *_: None)
    _, heard = attempt(tmp_path / "job", several, stop_at=8)
    taken = []
    for number, message in enumerate(heard.checkpoints):
        copy_out(Path(message.path), tmp_path / f"taken{number}", Limits())
        taken.append(state_of(message)["fit"])
    assert taken == [1, 2], "the end of a fit, and a checkpoint of the next one"


def test_what_is_named_for_a_loop_that_does_not_come_has_no_part_in_a_fits_end(tmp_path: Path) -> None:
    def code(context: Context) -> Any:
        model = network()
        context.resume(model)
        for epochs in (2, 2):
            model.fit(*rows(40), batch_size=20, epochs=epochs, verbose=0)
        return model.get_weights()

    same(*interrupted(tmp_path, code, 6))


def test_data_read_between_fits_comes_in_the_order_that_it_has_without_a_stop(tmp_path: Path) -> None:
    def code(context: Context) -> Any:
        model, places = network(), []
        for epochs in (3, 2):
            model.fit(*rows(40), batch_size=20, epochs=epochs, verbose=0)
            places.append(context.training.position.epoch)
        return places

    same(*interrupted(tmp_path, code, 8))


def test_a_fit_that_failed_fails_again_and_the_one_in_its_place_goes_on(tmp_path: Path) -> None:
    def code(context: Context) -> Any:
        model = network()
        with pytest.raises(MemoryError):
            model.fit(*rows(40), batch_size=10, verbose=0, callbacks=[Fails()])
        model.fit(*rows(40), batch_size=20, epochs=3, verbose=0)
        return model.get_weights()

    whole, _ = attempt(tmp_path / "whole", code)
    _, heard = attempt(tmp_path / "first", code, stop_at=5)
    same(whole, attempt(tmp_path / "last", code, left=heard.checkpoint)[0])


def state_of(checkpoint: Checkpoint) -> Any:
    """Where in training it is."""
    return json.loads((Path(checkpoint.path) / "checkpoint.json").read_text())


class Probes(keras.callbacks.Callback):
    """Fits another model at the end of each epoch."""

    def __init__(self, probe: Any) -> None:
        super().__init__()
        self._probe = probe

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._probe.fit(*rows(8), batch_size=4, shuffle=False, verbose=0)


def test_a_fit_inside_of_another_is_a_part_of_it(tmp_path: Path) -> None:
    def code(context: Context) -> Any:
        model = network()
        model.fit(*rows(40), batch_size=20, epochs=3, verbose=0, callbacks=[Probes(network())])
        return model.get_weights()

    whole, _ = attempt(tmp_path / "whole", code)
    _, heard = attempt(tmp_path / "first", code, stop_at=3, every_s=0)
    assert heard.checkpoint.step == 4
    state = state_of(heard.checkpoint)
    assert (state["fit"], state["epoch"], state["step_in_epoch"]) == (1, 1, 0)
    same(whole, attempt(tmp_path / "last", code, left=heard.checkpoint)[0])


def looped(context: Context, model: Any) -> None:
    """A loop of the code's own over three batches, twice."""
    optimizer = keras.optimizers.Adam()
    x, y = rows(12)
    context.resume(model, optimizer)
    for _ in context.epochs(3):
        for start in range(0, 12, 4):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x[start : start + 4]) - y[start : start + 4]) ** 2)
            weights = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            context.checkpoint(loss=loss)


def test_of_two_loops_with_like_models_each_has_its_own(tmp_path: Path) -> None:
    def code(context: Context) -> Any:
        models = [network(), network(), network()]
        for model in models[:2]:
            looped(context, model)
        models[2].fit(*rows(40), batch_size=20, epochs=2, verbose=0)
        return [model.get_weights() for model in models]

    # Data of their own has no place that is known: they go on at an epoch's end, here in the second; then in the fit.
    same(*interrupted(tmp_path, code, 14, every_s=0))
    same(*interrupted(tmp_path / "again", code, 15, 19))


def test_a_loop_that_fits_goes_on_behind_its_last_epoch(tmp_path: Path) -> None:
    def code(context: Context) -> Any:
        model = network()
        context.resume(model)
        for _ in context.epochs(3):
            model.fit(*rows(8), batch_size=4, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    same(*interrupted(tmp_path, code, 4))


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
