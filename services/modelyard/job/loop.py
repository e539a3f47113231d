"""Training loops of the code's own: what `fit` gets by itself, a loop asks for.

context.resume(model, optimizer)
for epoch in context.epochs(10):
    for images, labels in context.dataset("train", batch_size=32):
        loss = train_step(images, labels)
        context.checkpoint(loss=loss)
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from modelyard.job import checkpoints
from modelyard.job.errors import ContextMisused
from modelyard.job.fetched import check_finite, numbers
from modelyard.job.training import PROGRESS_EVERY_S, Stopped, Training, Watch


class Loop:
    """The state of a job's own loops."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._watch = Watch(training)
        self._items: tuple[Any, ...] | None = None
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
        training = self._training
        _build(items)
        if training.resume is not None and training.resume[1].loop:
            path, state = training.resume
            checkpoints.restore(path, checkpoints.of_loop(self._items))
            training.metrics = dict(state.metrics)
        return training.step

    def epochs(self, count: int) -> Iterator[int]:
        """See Context.epochs."""
        training = self._training
        training.stop_here()
        training.fits += 1
        first = self._place(count)
        self._epochs = count
        for epoch in range(first, count):
            training.position.epoch = self._epoch = epoch
            self._done = training.position.skip
            self._watch.start()
            yield epoch
            training.position.skip = 0
            self._end_of_epoch()

    def _place(self, count: int) -> int:
        """The epoch to go on in: 0, or where an earlier attempt was, whose batches are passed over."""
        training = self._training
        if training.resume is None or not training.resume[1].loop:
            return 0
        state = training.resume[1]
        if state.fit > training.fits:
            return count
        if self._items is None:
            raise ContextMisused("this job goes on after a checkpoint: call context.resume(model, optimizer) first")
        training.resume = None
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
        stopping = training.channel.stop.is_set() and self._epoch + 1 < self._epochs
        if self._items is not None and (stopping or training.is_worth_saving() or self._epoch + 1 == self._epochs):
            training.save(checkpoints.of_loop(self._items), training.fits, self._epoch + 1, 0, loop=True)
        if stopping:
            raise Stopped

    def _save(self, epoch: int, step_in_epoch: int) -> None:
        """In the middle of an epoch only where the data is batched here: the position in other data is not known."""
        if self._training.position.batch_size and self._items is not None:
            named = checkpoints.of_loop(self._items)
            self._training.save(named, self._training.fits, epoch, step_in_epoch, loop=True)


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
