"""Attempts of one job in this process: the first is stopped, the next goes on from what it has left."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from modelyard.job import hooks
from modelyard.job.messages import Checkpoint, JobSpec
from modelyard.job.session import Context
from modelyard.job.training import Stopped, Training

Code = Callable[[Context], Any]


class _StopAt:
    """What a channel's `stop` is, in the hands of a worker that counts steps."""

    def __init__(self, step: int) -> None:
        self._step = step
        self.training: Training | None = None

    def is_set(self) -> bool:
        return self.training is not None and self.training.step >= self._step


class Heard:
    """A channel that keeps what is sent, and takes every checkpoint."""

    def __init__(self, stop_at: int) -> None:
        self.stop = _StopAt(stop_at)
        self.published = -1
        self.messages: list[Any] = []

    def send(self, message: Any) -> None:
        self.messages.append(message)
        if isinstance(message, Checkpoint):
            self.published = message.step

    def finish(self) -> None:
        """Nobody leaves."""

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """In the order in which they were made."""
        return [message for message in self.messages if isinstance(message, Checkpoint)]

    @property
    def checkpoint(self) -> Checkpoint:
        """The newest."""
        return self.checkpoints[-1]


def attempt(
    folder: Path, code: Code, *, stop_at: int = 1 << 30, left: Checkpoint | None = None, every_s: float = 1e9
) -> tuple[Any, Heard]:
    """Run `code` as a job in an empty `folder`, until it has done `stop_at` steps; what it answers, None where it was
    stopped, and what was said. `left` is the checkpoint to go on from."""
    folder.mkdir()
    heard = Heard(stop_at)
    tf.config.experimental.enable_op_determinism()
    # As in a new process: the names of layers count from the first.
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    path, step = ("", 0) if left is None else (left.path, left.step)
    spec = JobSpec(
        "projects/p/jobs/j", 1, ".", "train", -1, dataset="", checkpoint_every_s=every_s, resume=path, resume_step=step
    )
    context = Context(spec, folder, cast(Any, heard))
    heard.stop.training = context.training
    plain, place = keras.Model.fit, Path.cwd()
    hooks.install(context)
    os.chdir(folder)
    try:
        return code(context), heard
    except Stopped:
        return None, heard
    finally:
        os.chdir(place)
        keras.Model.fit = plain


def interrupted(folder: Path, code: Code, *stops: int, every_s: float = 1e9) -> tuple[Any, Any]:
    """What `code` answers in one go, and what it answers when it is stopped at each of these steps and goes on."""
    folder.mkdir(exist_ok=True)
    whole, _ = attempt(folder / "whole", code)
    left = None
    for number, step in enumerate(stops):
        answer, heard = attempt(folder / f"part{number}", code, stop_at=step, left=left, every_s=every_s)
        assert answer is None, "the test means to stop it"
        left = heard.checkpoint
    return whole, attempt(folder / "last", code, left=left)[0]


def same(one: Any, other: Any) -> None:
    """Both are alike to the last bit."""
    keras.tree.assert_same_structure(one, other)
    for ours, theirs in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def rows(count: int = 40, width: int = 3) -> tuple[Any, Any]:
    """Numbers, and a sum to learn of them."""
    x = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    return x, x.sum(1, keepdims=True)


def network(width: int = 3, units: int = 4, **compiled: Any) -> Any:
    """A small model, with dropout and an optimizer that remembers."""
    model = keras.Sequential(
        [
            keras.Input((width,)),
            keras.layers.Dense(units),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )
    model.compile(**{"optimizer": "adam", "loss": "mse", "run_eagerly": True, **compiled})
    return model


class Fails(keras.callbacks.Callback):
    """Breaks a fit off in its second step."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 1:
            raise MemoryError
