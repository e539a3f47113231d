"""One fit that goes on after a stop: what it ends with is what it would have ended with."""

import os
from pathlib import Path
from typing import Any

import keras
import pytest

from modelyard.job import remembered
from modelyard.job.session import Context
from tests.integration.job.attempts import Fails, attempt, interrupted, network, rows, same

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
