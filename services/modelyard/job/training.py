"""What happens around every Keras `fit` of a job: reports, checkpoints, the stop, going on after another attempt.

Per-step work hangs on the model's train function and not on `on_train_batch_end`: a callback with that method makes
Keras fetch every step's metrics from the device, which costs a GPU its lead.
"""

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from modelyard.job import checkpoints
from modelyard.job.batches import Position
from modelyard.job.channel import Channel
from modelyard.job.checkpoints import TrainingState
from modelyard.job.errors import Diverged
from modelyard.job.messages import Checkpoint, Metric, Prepared, Progress

PROGRESS_EVERY_S = 0.25
DRY_STEPS = 2
MAX_UNPUBLISHED = 2
"""Checkpoints that may wait for the worker; while it is that far behind, no more are made."""


class Stopped(BaseException):
    """Training ends here because the worker said so; not an Exception, so that no code under test swallows it."""


class Training:
    """The state of training over all of a job's fits."""

    def __init__(
        self, channel: Channel, position: Position, folder: Path, resume: Path | None, checkpoint_every_s: float
    ) -> None:
        self.channel = channel
        self.position = position
        self.folder = folder
        self.resume = (resume, checkpoints.read_state(resume)) if resume else None
        self.checkpoint_every_s = checkpoint_every_s
        self.step = self.resume[1].step if self.resume else 0
        self.fits = 0
        self.metrics: dict[str, float] = {}
        self.prepared = False
        self._saved: list[int] = []
        self._saved_at = time.monotonic()

    def stop_here(self) -> None:
        """Raise Stopped if the worker asked for it; for moments at which nothing is worth saving."""
        if self.channel.stop.is_set():
            raise Stopped

    def report(self, metrics: Mapping[str, float]) -> None:
        """A point in each curve at the current step."""
        for name, value in metrics.items():
            self.channel.send(Metric(self.step, name, float(value)))
        self.metrics.update({name: float(value) for name, value in metrics.items()})

    def save(self, model: Any, fit: int, epoch: int, step_in_epoch: int) -> None:
        """Write a checkpoint and say so; raises Diverged instead of saving what is no longer a number."""
        self._saved_at = time.monotonic()
        if self.step in self._saved:
            return
        path = checkpoints.save(
            self.folder, TrainingState(self.step, fit, epoch, step_in_epoch, dict(self.metrics)), model
        )
        self._saved.append(self.step)
        self.channel.send(Checkpoint(self.step, str(path)))
        checkpoints.prune(self.folder, self.channel.published)

    def may_save(self) -> bool:
        """Whether the worker keeps up with publishing."""
        return sum(step > self.channel.published for step in self._saved) < MAX_UNPUBLISHED

    def is_due(self) -> bool:
        """Whether enough time has passed for a checkpoint in the middle of an epoch."""
        return time.monotonic() - self._saved_at >= self.checkpoint_every_s and self.may_save()


class FitCallback(keras.callbacks.Callback):
    """One fit. The last callback of its list, so that it saves what the others have changed."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training
        self.batch_spec: Any = None
        """What a batch looks like, once the data is known: going on needs every variable before the first step."""
        self._epoch = 0
        self._done = 0
        """Steps of this epoch that are done."""
        self._skip = 0
        """Steps of this epoch that an earlier attempt did: their batches are passed over."""
        self._restored_metrics: list[Any] = []
        self._fit = 0
        self._reported_at = 0.0
        self._reported_step = 0
        self._first_steps = 0
        self._inner: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        training = self.training
        training.stop_here()
        training.fits += 1
        self._fit = training.fits
        self._first_steps = 0
        if training.resume is not None:
            path, state = training.resume
            if state.fit > self._fit:
                # This fit was finished by an earlier attempt; the checkpoint belongs to a later one.
                self.model._initial_epoch = self.params["epochs"]
                return
            training.resume = None
            self._build()
            self._restored_metrics = checkpoints.restore(path, self.model)
            self.model._initial_epoch = state.epoch
            self._epoch, self._skip = state.epoch, state.step_in_epoch
            training.metrics = dict(state.metrics)
        self._inner = self.model.train_function
        self.model.train_function = self._train
        self._reported_at = time.monotonic()
        self._reported_step = training.step

    def _build(self) -> None:
        """Make the variables of model, optimizer and metrics, which Keras would make during the first step."""
        if self.batch_spec is not None:
            with self.model.distribute_strategy.scope():
                self.model._symbolic_build(data_batch=self.batch_spec)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # Keras has read it by now, and it must not leak into the model's next fit.
        self.model._initial_epoch = None
        self._epoch = self.training.position.epoch = epoch
        self._done = 0
        if self._skip:
            for variable, value in zip(checkpoints.metric_variables(self.model), self._restored_metrics, strict=True):
                variable.assign(value)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        metrics = _numbers(logs)
        self._check(metrics)
        self._progress(metrics)
        self.training.report(metrics)
        if self.training.may_save() or epoch + 1 == self.params["epochs"]:
            self.training.save(self.model, self._fit, epoch + 1, 0)
        if self.training.channel.stop.is_set() and epoch + 1 < self.params["epochs"]:
            self.training.save(self.model, self._fit, epoch + 1, 0)
            raise Stopped

    def on_train_end(self, logs: Any = None) -> None:
        self.model._initial_epoch = None
        if self._inner is not None:
            self.model.train_function = self._inner
            self._say_prepared()

    def _train(self, batches: Iterator[Any]) -> Any:
        """Keras's train function: takes the batches of one execution, usually one, and trains on them."""
        steps = self.model.steps_per_execution
        if self._done < self._skip:
            for _ in range(steps):
                next(batches)
            self._done += steps
            if self._done >= self._skip:
                self._skip = 0
            return self.model.get_metrics_result()
        logs = self._inner(batches)
        self._done += steps
        self.training.step += steps
        self._after_step(logs)
        return logs

    def _after_step(self, logs: Any) -> None:
        training = self.training
        if not training.prepared:
            self._first_steps += 1
            if self._first_steps >= DRY_STEPS:
                self._check(_numbers(logs))
                self._say_prepared()
        if training.channel.stop.is_set():
            self._check(_numbers(logs))
            training.save(self.model, self._fit, self._epoch, self._done)
            raise Stopped
        if time.monotonic() - self._reported_at >= PROGRESS_EVERY_S:
            metrics = _numbers(logs)
            self._check(metrics)
            self._progress(metrics)
        if training.is_due():
            self._check(_numbers(logs))
            training.save(self.model, self._fit, self._epoch, self._done)

    def _say_prepared(self) -> None:
        if not self.training.prepared:
            self.training.prepared = True
            batch_size = self.training.position.batch_size
            self.training.channel.send(Prepared(self._steps, self._total_steps, batch_size))

    @property
    def _steps(self) -> int:
        return int(self.params.get("steps") or 0)

    @property
    def _total_steps(self) -> int:
        """The job's steps when this fit is done; 0 while an epoch's length is not known."""
        before = self.training.step - self._epoch * self._steps - self._done
        return before + int(self.params["epochs"]) * self._steps if self._steps else 0

    def _progress(self, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        steps = self.training.step - self._reported_step
        rate = steps * self.training.position.batch_size / max(now - self._reported_at, 1e-9)
        self._reported_at, self._reported_step = now, self.training.step
        self.training.channel.send(
            Progress(
                self.training.step, self._total_steps, self._epoch + 1, int(self.params["epochs"]), rate, dict(metrics)
            )
        )

    def _check(self, metrics: Mapping[str, float]) -> None:
        loss = metrics.get("loss", 0.0)
        if not math.isfinite(loss):
            raise Diverged(
                f"the loss became {loss} in epoch {self._epoch + 1}, by step {self.training.step}; "
                "try a smaller learning rate. The last good checkpoint is kept."
            )


def _numbers(logs: Any) -> dict[str, float]:
    """Fetch the running means from the device; a metric of many values (one a class) has no single number."""
    if not isinstance(logs, Mapping):
        return {}
    return {name: float(value) for name, value in logs.items() if np.ndim(value) == 0}
