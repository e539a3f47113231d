"""What happens around every Keras `fit` of a job: reports, checkpoints, the stop, going on after another attempt.

Per-step work hangs on the model's train function and not on `on_train_batch_end`: a callback with that method makes
Keras fetch every step's metrics from the device, which costs a GPU its lead.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from modelyard.job import checkpoints
from modelyard.job.batches import Position
from modelyard.job.board import Board
from modelyard.job.channel import Channel
from modelyard.job.checkpoints import TrainingState
from modelyard.job.fetched import check_finite, numbers
from modelyard.job.messages import Checkpoint, Metric, Prepared, Progress

PROGRESS_EVERY_S = 0.5
"""Each time costs a wait for the device here, and a few milliseconds of the worker's and the scheduler's time."""
EPOCH_S = 10.0
"""An epoch's end is a checkpoint unless there was one so shortly before: its way to the store takes time from steps."""
DRY_STEPS = 2
MAX_UNPUBLISHED = 2
"""Checkpoints that may wait for the worker; while it is that far behind, no more are made."""


class Stopped(BaseException):
    """Training ends here because the worker said so; not an Exception, so that no code under test swallows it."""


class Training:
    """The state of training over all of a job's fits."""

    def __init__(
        self,
        channel: Channel,
        position: Position,
        folder: Path,
        resume: Path | None,
        checkpoint_every_s: float,
        board: Board,
    ) -> None:
        self.channel = channel
        self.board = board
        self.position = position
        self.folder = folder
        self.resume = (resume, checkpoints.read_state(resume)) if resume else None
        self.checkpoint_every_s = checkpoint_every_s
        self.step = self.resume[1].step if self.resume else 0
        position.resumes_loop = self.resume is not None and self.resume[1].loop
        self.fits = 0
        self.metrics: dict[str, float] = {}
        self.begun = False
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
            self.channel.send(Metric(self.step, name, value))
        self.board.scalars(self.step, metrics)
        self.metrics.update(metrics)

    def say_prepared(self, steps: int, total_steps: int) -> None:
        """Once: the first steps have run, or what takes their place."""
        if not self.prepared:
            self.prepared = self.begun = True
            self.channel.send(Prepared(steps, total_steps, self.position.batch_size))

    def begin(self) -> None:
        """For work whose first steps nobody sees: it is past its preparation."""
        if not self.begun:
            self.begun = True
            self.channel.send(Prepared(self.position.steps, 0, self.position.batch_size))

    def count(self, done: int, total: int, watch: "Watch") -> None:
        """Progress of work that has no steps of training. How long the first took is not known: it has no speed."""
        self.step = done
        watch.begin()
        self.say_prepared(total, total)
        if watch.elapsed >= PROGRESS_EVERY_S or done >= total:
            watch.say(total, 0, 1, self.metrics, examples=True)

    def save(self, named: checkpoints.Named, fit: int, epoch: int, step_in_epoch: int, *, loop: bool = False) -> None:
        """Write a checkpoint and say so; raises Diverged instead of saving what is no longer a number."""
        self._saved_at = time.monotonic()
        if self.step in self._saved:
            return
        state = TrainingState(self.step, fit, epoch, step_in_epoch, dict(self.metrics), loop)
        self._publish(self.step, checkpoints.save(self.folder, state, named))

    def save_files(self, step: int, files: Path) -> None:
        """The same of work without variables: a checkpoint of the files in a folder."""
        state = TrainingState(step, 0, 0, 0, dict(self.metrics))
        self._publish(step, checkpoints.save_files(self.folder, state, files))
        self._saved_at = time.monotonic()

    def _publish(self, step: int, path: Path) -> None:
        self.board.flush()
        self._saved.append(step)
        self.channel.send(Checkpoint(step, str(path)))
        checkpoints.prune(self.folder, self.channel.published)

    @property
    def since_saved(self) -> float:
        """Seconds since the last checkpoint, or since the beginning."""
        return time.monotonic() - self._saved_at

    def may_save(self) -> bool:
        """Whether the worker keeps up with publishing."""
        return sum(step > self.channel.published for step in self._saved) < MAX_UNPUBLISHED

    def is_worth_saving(self) -> bool:
        """Whether the end of an epoch that is not the last is a checkpoint."""
        return self.since_saved >= min(EPOCH_S, self.checkpoint_every_s) and self.may_save()

    def is_due(self) -> bool:
        """Whether enough time has passed for a checkpoint in the middle of an epoch."""
        return self.since_saved >= self.checkpoint_every_s and self.may_save()


class Watch:
    """Progress as it is said to the worker, with the speed since the last time."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._at = 0.0
        self._step = 0

    def start(self) -> None:
        """From here on the speed counts."""
        self._at, self._step = time.monotonic(), self._training.step

    def begin(self) -> None:
        """Start, unless it runs."""
        if not self._at:
            self.start()

    @property
    def elapsed(self) -> float:
        """Seconds since the last word."""
        return time.monotonic() - self._at

    def say(
        self, total_steps: int, epoch: int, epochs: int, metrics: Mapping[str, float], *, examples: bool = False
    ) -> None:
        """`epoch` counts from 0; `examples`: a step is an example, and not a batch."""
        training = self._training
        each = 1 if examples else training.position.batch_size
        rate = (training.step - self._step) * each / max(self.elapsed, 1e-9)
        self.start()
        training.channel.send(Progress(training.step, total_steps, epoch + 1, epochs, rate, dict(metrics)))


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
        self._watch = Watch(training)
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
            self._restored_metrics = checkpoints.restore(path, checkpoints.of_model(self.model))
            self.model._initial_epoch = state.epoch
            self._epoch, self._skip = state.epoch, state.step_in_epoch
            training.metrics = dict(state.metrics)
        self._inner = self.model.train_function
        self.model.train_function = self._train
        self._watch.start()

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
        metrics = numbers(logs)
        check_finite(metrics, epoch, self.training.step)
        self._watch.say(self._total_steps, epoch, int(self.params["epochs"]), metrics)
        self.training.report(metrics)
        if self.training.is_worth_saving() or epoch + 1 == self.params["epochs"]:
            self._save(epoch + 1, 0)
        if self.training.channel.stop.is_set() and epoch + 1 < self.params["epochs"]:
            self._save(epoch + 1, 0)
            raise Stopped

    def on_train_end(self, logs: Any = None) -> None:
        self.model._initial_epoch = None
        if self._inner is not None:
            self.model.train_function = self._inner
            self.training.say_prepared(self._steps, self._total_steps)

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
                self._check(logs)
                training.say_prepared(self._steps, self._total_steps)
        if training.channel.stop.is_set():
            self._check(logs)
            self._save(self._epoch, self._done)
            raise Stopped
        if self._watch.elapsed >= PROGRESS_EVERY_S:
            metrics = self._check(logs)
            self._watch.say(self._total_steps, self._epoch, int(self.params["epochs"]), metrics)
        if training.is_due():
            self._check(logs)
            self._save(self._epoch, self._done)

    def _save(self, epoch: int, step_in_epoch: int) -> None:
        self.training.save(checkpoints.of_model(self.model), self._fit, epoch, step_in_epoch)

    def _check(self, logs: Any) -> dict[str, float]:
        metrics = numbers(logs)
        check_finite(metrics, self._epoch, self.training.step)
        return metrics

    @property
    def _steps(self) -> int:
        return int(self.params.get("steps") or 0)

    @property
    def _total_steps(self) -> int:
        """The job's steps when this fit is done; 0 while an epoch's length is not known."""
        before = self.training.step - self._epoch * self._steps - self._done
        return before + int(self.params["epochs"]) * self._steps if self._steps else 0
