"""What happens around every Keras `fit` of a job: reports, checkpoints, the stop, going on after another attempt.

Per-step work hangs on the model's train function and not on `on_train_batch_end`: a callback with that method makes
Keras fetch every step's metrics from the device, which costs a GPU its lead.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from modelyard.job import building, checkpoints, optimizers, remembered
from modelyard.job.checkpoints import TrainingState
from modelyard.job.fetched import check_finite, numbers
from modelyard.job.training import PROGRESS_EVERY_S, Stopped, Training, Watch

DRY_STEPS = 2


class FitCallback(keras.callbacks.Callback):
    """One fit. The last callback of its list, so that it saves what the others have changed."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training
        self.others: Sequence[Any] = ()
        """The callbacks before this one."""
        self.batch_spec: Any = None
        """What a batch looks like, once the data is known; None where only reading one tells."""
        self.first_batch: Callable[[], Any] = lambda: None
        """Reads one: going on needs every variable before the first step."""
        self.steps_are_asked = False
        """Whether the code says how many steps an epoch has; else they are the data's batches."""
        self._begin()

    def _begin(self) -> None:
        self._fit = 0
        """Its number in the job; 0 inside of another fit or loop, of which it is a part."""
        self._epoch = 0
        self._done = 0
        """Steps of this epoch that are done."""
        self._skip = 0
        """Steps of this epoch that an earlier attempt did: their batches are passed over."""
        self._restored_metrics: list[Any] = []
        self._watch = Watch(self.training)
        self._first_steps = 0
        self._inner: Any = None
        """The model's own train function."""
        self._outer_epoch = self.training.position.epoch

    def on_train_begin(self, logs: Any = None) -> None:
        training = self.training
        training.stop_here()
        self._begin()
        if training.owner is None:
            training.owner = self
            left = training.begin_fit(loop=False)
            self._fit = training.fits
            if left is not None:
                self._go_on(*left)
        self._watch.start()

    def _go_on(self, path: Path, state: TrainingState) -> None:
        """From a checkpoint; where that is the fit's end, no epoch is left."""
        building.build(self.model, self.batch_spec, self.first_batch)
        optimizers.build(self.model, checkpoints.names(path))
        self._restored_metrics = checkpoints.restore(path, checkpoints.of_model(self.model))
        remembered.recall(self.others, checkpoints.read_remembered(path))
        self.model._initial_epoch = state.epoch
        self._epoch, self._skip = state.epoch, state.step_in_epoch
        self.training.metrics = dict(state.metrics)
        if state.epoch >= self.params["epochs"]:
            self.training.has_ended(self._fit, path)
            # What reads data behind it finds the order that it would find without a stop.
            epochs = [epoch for one in self.others if isinstance(one, keras.callbacks.History) for epoch in one.epoch]
            self.training.position.epoch = max(epochs, default=0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # Keras has read it by now, and it must not leak into the model's next fit.
        self.model._initial_epoch = None
        # A callback may have made it anew.
        if self.model.train_function != self._train:
            self._inner = self.model.train_function
            self.model.train_function = self._train
        self._epoch = self.training.position.epoch = epoch
        self._done = 0
        if self._skip:
            for variable, value in zip(checkpoints.metric_variables(self.model), self._restored_metrics, strict=True):
                variable.assign(value)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._skip = 0
        metrics = numbers(logs)
        check_finite(metrics, epoch, self.training.step)
        self._watch.say(self._total_steps, epoch, int(self.params["epochs"]), metrics)
        self.training.report(metrics)
        if self._fit:
            self._save_after(epoch)

    def _save_after(self, epoch: int) -> None:
        training = self.training
        if self.model.stop_training or epoch + 1 == self.params["epochs"]:
            # An early end too is the end: going on behind it, no epoch is left.
            known = remembered.remember(self.others)
            training.save_end(checkpoints.of_model(self.model), self._fit, int(self.params["epochs"]), known)
            return
        stopping = training.channel.stop.is_set()
        if stopping or training.is_worth_saving():
            self._save(epoch + 1, 0)
        if stopping:
            raise Stopped

    def on_train_end(self, logs: Any = None) -> None:
        self.model._initial_epoch = None
        if self.training.resume is None:
            self.training.say_prepared(self._steps, self._total_steps)
        self.let_go()

    def let_go(self) -> None:
        """The fit is over, or has failed: the model and what is around the fit are as they were before it."""
        if self._inner is not None and self.model.train_function == self._train:
            self.model.train_function = self._inner
        if self.training.owner is self:
            self.training.owner = None
        elif self.training.owner is not None:
            self.training.position.epoch = self._outer_epoch

    def _train(self, batches: Iterator[Any]) -> Any:
        """Keras's train function: takes the batches of one execution, usually one, and trains on them."""
        if self._done < self._skip:
            return self._pass_over(batches)
        logs = self._inner(batches)
        self.training.step += self._count()
        self._after_step(logs)
        return logs

    def _count(self) -> int:
        """The steps of an execution; the last of an epoch may have fewer."""
        steps = int(self.model.steps_per_execution)
        if self._steps and not self.steps_are_asked:
            steps = min(steps, self._steps - self._done)
        self._done += steps
        return steps

    def _pass_over(self, batches: Iterator[Any]) -> Any:
        for _ in range(min(self.model.steps_per_execution, self._skip - self._done)):
            next(batches)
            self._done += 1
        return self.model.get_metrics_result()

    def _after_step(self, logs: Any) -> None:
        training = self.training
        if not training.prepared:
            self._first_steps += 1
            if self._first_steps >= DRY_STEPS:
                self._check(logs)
                training.say_prepared(self._steps, self._total_steps)
        stopping = training.channel.stop.is_set()
        if self._fit and (stopping or training.is_due()):
            self._check(logs)
            self._save(self._epoch, self._done)
            if stopping:
                raise Stopped
        if self._watch.elapsed >= PROGRESS_EVERY_S:
            metrics = self._check(logs)
            self._watch.say(self._total_steps, self._epoch, int(self.params["epochs"]), metrics)

    def _save(self, epoch: int, step_in_epoch: int) -> None:
        known = remembered.remember(self.others)
        self.training.save(checkpoints.of_model(self.model), self._fit, epoch, step_in_epoch, known)

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
