"""Jobs that are stopped, and go on where they were."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.job.channel import ORPHANED
from modelyard.job.messages import (
    Checkpoint,
    ChildMessage,
    Exported,
    Metric,
    Prepared,
    Progress,
    Stop,
    Stopped,
)
from tests.integration.job.child import Child, code, only, prepare_idx, strokes, variables

pytestmark = pytest.mark.timeout(300)

SLOW_DROPOUT = """
import time

import keras

from modelyard.job import context


class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.03)


def main():
    model = keras.Sequential(
        [
            keras.Input(context.image_shape(), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(len(context.classes), activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        context.dataset("train", batch_size=32),
        validation_data=context.dataset("test", batch_size=32),
        epochs=3,
        verbose=0,
        callbacks=[Slow()],
    )
    context.export(model)
"""


def test_an_interrupted_job_ends_bit_for_bit_like_an_uninterrupted_one(tmp_path: Path) -> None:
    package = code(tmp_path, SLOW_DROPOUT)
    train, test = strokes(600), strokes(100, seed=1)
    whole = tmp_path / "whole"
    prepare_idx(whole / "inputs/dataset", train, test, 4)
    with Child(whole, code=package) as child:
        status, expected = child.finish()
    assert status == 0, (whole / "log").read_text()

    heard: list[ChildMessage] = []
    resume: dict[str, Any] = {}
    stops = [lambda m: isinstance(m, Prepared), lambda m: isinstance(m, Progress) and m.epoch == 2, lambda m: False]
    for attempt, stop_when in enumerate(stops, start=1):
        part = tmp_path / f"part{attempt}"
        prepare_idx(part / "inputs/dataset", train, test, 4)
        with Child(part, code=package, attempt=attempt, **resume) as child:
            status, said = child.finish(stop_when)
        assert status == 0, (part / "log").read_text()
        heard += said
        if attempt < len(stops):
            stopped = only(said, Stopped)[0]
            checkpoint = only(said, Checkpoint)[-1]
            assert checkpoint.step == stopped.step
            state = json.loads((Path(checkpoint.path) / "checkpoint.json").read_text())
            assert 0 < state["step_in_epoch"] < 19, "the test means to stop in the middle of an epoch"
            resume = {"resume": checkpoint.path, "resume_step": checkpoint.step}

    for ours, theirs in zip(variables(whole / "checkpoints/57"), variables(part / "checkpoints/57"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert only(heard, Metric) == only(expected, Metric)

    # A worker that died between the last step and the export: nothing is trained again.
    late = tmp_path / "late"
    prepare_idx(late / "inputs/dataset", train, test, 4)
    with Child(late, code=package, attempt=4, resume=str(whole / "checkpoints/57"), resume_step=57) as child:
        status, said = child.finish()
    assert status == 0, (late / "log").read_text()
    assert only(said, Prepared) == [Prepared(19, 57, 32)]
    assert only(said, Progress) == []
    assert only(said, Exported)[0].metrics == only(heard, Exported)[0].metrics
    answers = [dict(np.load(folder / "model/golden.npz")) for folder in (whole, part, late)]
    for name, values in answers[0].items():
        np.testing.assert_array_equal(values, answers[1][name])
        np.testing.assert_array_equal(values, answers[2][name])


def test_a_checkpoint_is_made_in_the_middle_of_an_epoch_when_it_is_due(tmp_path: Path) -> None:
    prepare_idx(tmp_path / "inputs/dataset", strokes(600), strokes(100, seed=1), 4)
    with Child(tmp_path, code=code(tmp_path, SLOW_DROPOUT), checkpoint_every_s=0.2) as child:
        heard = []
        for message in child.messages():
            heard.append(message)
            if isinstance(message, Checkpoint) and message.step % 19:
                break
    state = json.loads((Path(only(heard, Checkpoint)[-1].path) / "checkpoint.json").read_text())
    assert state["step_in_epoch"] == only(heard, Checkpoint)[-1].step % 19


def test_a_stop_before_the_first_step_saves_nothing(tmp_path: Path) -> None:
    prepare_idx(tmp_path / "inputs/dataset", strokes(600), strokes(100, seed=1), 4)
    with Child(tmp_path, code=code(tmp_path, SLOW_DROPOUT)) as child:
        child.say(Stop())
        status, heard = child.finish()
    assert status == 0, (tmp_path / "log").read_text()
    assert [message.kind for message in heard] == ["hello", "stopped"]
    assert heard[-1] == Stopped(0)


def test_a_child_whose_worker_is_gone_ends_at_once(tmp_path: Path) -> None:
    prepare_idx(tmp_path / "inputs/dataset", strokes(600), strokes(100, seed=1), 4)
    with Child(tmp_path, code=code(tmp_path, SLOW_DROPOUT)) as child:
        for message in child.messages():
            if isinstance(message, Prepared):
                break
        child.socket.shutdown(2)
        assert child.process.wait(30) == ORPHANED
