"""Several fits and loops that go on after a stop: what they end with is what they would have ended with."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelyard.foundation.sandbox.outputs import copy_out
from modelyard.foundation.sandbox.policy import Limits
from modelyard.job import checkpoints, training
from modelyard.job.messages import Checkpoint
from modelyard.job.session import Context
from tests.integration.job.attempts import Fails, attempt, interrupted, network, rows, same

pytestmark = [
    pytest.mark.timeout(300),
    # Keras's own, of NumPy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


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
