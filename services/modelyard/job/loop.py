"""Training loops of the code's own: what `fit` gets by itself, a loop asks for.

context.resume(model, optimizer)
for epoch in context.epochs(10):
    for images, labels in context.dataset("train", batch_size=32):
        loss = train_step(images, labels)
        context.checkpoint(loss=loss)
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from modelyard.job import checkpoints
from modelyard.job.checkpoints import TrainingState
from modelyard.job.errors import ContextMisused
from modelyard.job.fetched import check_finite, numbers
from modelyard.job.remembered import Remembered
from modelyard.job.training import PROGRESS_EVERY_S, Stopped, Training, Watch


class Loop:
    """The state of a job's own loops."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._watch = Watch(training)
        self._items: tuple[Any, ...] | None = None
        self._number = 0
        """Of the loop among the job's fits and loops; 0 outside of `epochs`."""
        self._restored = 0
        """The number of the loop whose checkpoint the items hold."""
        self._epoch = 0
        self._epochs = 0
        self._done = 0
        """Steps of this epoch that are done."""
        self._steps_seen = 0

    def resume(self, items: Sequence[Any]) -> int:
        """Say what belongs to a checkpoint, and restore it if an earlier attempt left one; answers the steps done."""
        if not items:
            raise ContextMisused("context.resume(…) needs what a checkpoint is to keep, as resume(model, optimizer)")
        self._items = tuple(items)
        self._restored = 0
        training = self._training
        _build(items)
        self._restore(training.fits + 1, training.left(training.fits + 1, loop=True))
        return training.step

    def _restore(self, number: int, left: tuple[Path, TrainingState] | None) -> None:
        if left is None or self._restored == number:
            return
        path, state = left
        assert self._items is not None
        _build_compiled(self._items, checkpoints.names(path))
        checkpoints.restore(path, checkpoints.of_loop(self._items))
        self._training.metrics = dict(state.metrics)
        self._restored = number

    def epochs(self, count: int) -> Iterator[int]:
        """See Context.epochs."""
        training = self._training
        training.stop_here()
        first = self._place(count)
        self._epochs = count
        if self._items is not None:
            training.owner = self
        try:
            for epoch in range(first, count):
                training.position.epoch = self._epoch = epoch
                self._done = training.position.skip
                self._watch.start()
                yield epoch
                training.position.skip = 0
                self._end_of_epoch()
        finally:
            self._number = 0
            training.owner = None
            training.position.resumes_loop = training.resume is not None and training.resume[1].loop

    def _place(self, count: int) -> int:
        """The epoch to go on in: 0, or where an earlier attempt was, whose batches are passed over."""
        training = self._training
        left = training.begin_fit(loop=True)
        self._number = training.fits
        if left is None:
            return 0
        if self._items is None:
            raise ContextMisused("this job goes on after a checkpoint: call context.resume(model, optimizer) first")
        self._restore(self._number, left)
        path, state = left
        if state.epoch >= count:
            training.has_ended(self._number, path)
        training.position.skip = state.step_in_epoch
        return state.epoch

    def step(self, values: dict[str, Any]) -> None:
        """See Context.checkpoint."""
        training = self._training
        if self._items is None:
            raise ContextMisused(
                "context.checkpoint() keeps what context.resume(model, optimizer) names: call that before the loop"
            )
        self._done += 1
        training.step += 1
        self._steps_seen += 1
        if self._steps_seen == 1:
            check_finite(numbers(values), self._epoch, training.step)
            self._prepared()
        if training.channel.stop.is_set():
            check_finite(numbers(values), self._epoch, training.step)
            self._save(self._epoch, self._done)
            raise Stopped
        if self._watch.elapsed >= PROGRESS_EVERY_S:
            fetched = numbers(values)
            check_finite(fetched, self._epoch, training.step)
            self._watch.say(self._total, self._epoch, self._epochs, fetched)
        if training.is_due():
            check_finite(numbers(values), self._epoch, training.step)
            self._save(self._epoch, self._done)

    @property
    def _total(self) -> int:
        steps = self._training.position.steps
        before = self._training.step - self._epoch * steps - self._done
        return before + self._epochs * steps if steps else 0

    def _prepared(self) -> None:
        self._training.say_prepared(self._training.position.steps, self._total)

    def _end_of_epoch(self) -> None:
        training = self._training
        if self._steps_seen:
            self._prepared()
        self._watch.say(self._total, self._epoch, self._epochs, training.metrics)
        if self._items is not None and self._epoch + 1 == self._epochs:
            named = checkpoints.of_loop(self._items)
            training.save_end(named, self._number, self._epochs, Remembered(), loop=True)
            return
        stopping = training.channel.stop.is_set() and self._epoch + 1 < self._epochs
        if self._items is not None and (stopping or training.is_worth_saving()):
            self._write(self._epoch + 1, 0)
        if stopping:
            raise Stopped

    def _save(self, epoch: int, step_in_epoch: int) -> None:
        """In the middle of an epoch only where the data is batched here: the position in other data is not known."""
        if self._training.position.batch_size:
            self._write(epoch, step_in_epoch)

    def _write(self, epoch: int, step_in_epoch: int) -> None:
        assert self._items is not None
        training, named = self._training, checkpoints.of_loop(self._items)
        # A loop without `epochs` comes before whatever begins next.
        number = self._number or training.fits + 1
        training.save(named, number, epoch, step_in_epoch, Remembered(), loop=True)


def _build(items: Sequence[Any]) -> None:
    """An optimizer makes its variables in the first step; a checkpoint needs them before."""
    models = [item for item in items if isinstance(item, keras.Model)]
    unbuilt = next((model.name for model in models if not model.built), None)
    if unbuilt is not None:
        raise ContextMisused(
            f"model {unbuilt!r} has no weights yet: give it an Input layer, or call it once before context.resume(…)"
        )
    trained = [variable for model in models for variable in model.trainable_variables]
    for item in items:
        if isinstance(item, keras.optimizers.Optimizer) and not item.built:
            item.build(trained)


def _build_compiled(items: Sequence[Any], saved: Sequence[str]) -> None:
    """The optimizers of `compile`, where the loop used them: by `fit`, or `train_on_batch`."""
    for number, item in enumerate(items):
        optimizer = getattr(item, "optimizer", None) if isinstance(item, keras.Model) else None
        if optimizer is not None and not optimizer.built:
            known = len(item.variables) + len(optimizer.variables)
            if sum(name.startswith(f"model/{number}/") for name in saved) > known:
                optimizer.build(item.trainable_variables)
