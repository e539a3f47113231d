"""The state of training over all of a job: its reports, its checkpoints, what an earlier attempt has left.

A checkpoint is of one fit or loop. With it go the ends of those before it, as they were: the code runs again from its
first line, and each fit that is behind it gives its model back without training. One whose end is not there, because
it failed or is too large, is trained again.
"""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelyard.job import checkpoints
from modelyard.job.batches import Position
from modelyard.job.board import Board
from modelyard.job.channel import Channel
from modelyard.job.checkpoints import TrainingState
from modelyard.job.messages import Checkpoint, Metric, Prepared, Progress
from modelyard.job.remembered import Remembered

PROGRESS_EVERY_S = 0.5
"""Each time costs a wait for the device here, and a few milliseconds of the worker's and the scheduler's time."""
EPOCH_S = 10.0
"""An epoch's end is a checkpoint unless there was one so shortly before: its way to the store takes time from steps."""
MAX_FINISHED_BYTES, MOST_FINISHED = 256 << 20, 16
"""Ends of earlier fits that go with every checkpoint, on its way to the store too."""
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
        """Fits and loops that have begun, but for those inside of another."""
        self.owner: Any = None
        """The fit or loop whose checkpoints are made; what runs inside of it is a part of it, and makes none."""
        self._finished = checkpoints.finished_in(resume) if resume else {}
        self._is_full = False
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

    def left(self, fit: int, *, loop: bool) -> tuple[Path, TrainingState] | None:
        """The checkpoint of this fit or loop that an earlier attempt has left: its end, or where it was; None where it
        is to begin anew."""
        if self.resume is None:
            return None
        path, state = self.resume
        if fit < state.fit:
            end = self._finished.get(fit)
            ended = None if end is None else checkpoints.read_state(end)
            return (end, ended) if end and ended and ended.loop == loop else None
        # A loop without `epochs` has no number before the first fit.
        return (path, state) if fit == max(state.fit, 1) and state.loop == loop else None

    def begin_fit(self, *, loop: bool) -> tuple[Path, TrainingState] | None:
        """The next fit or loop begins: what is `left` of it."""
        self.fits += 1
        left = self.left(self.fits, loop=loop)
        if self.resume is not None and self.fits >= self.resume[1].fit:
            self.resume = None
        return left

    def save(
        self,
        named: checkpoints.Named,
        fit: int,
        epoch: int,
        step_in_epoch: int,
        remembered: Remembered,
        *,
        loop: bool = False,
    ) -> None:
        """Write a checkpoint and say so; raises Diverged instead of saving what is no longer a number. What is trained
        again makes none: the one of a later fit is there, and stays the newest."""
        self._saved_at = time.monotonic()
        if self.step in self._saved or self.resume is not None:
            return
        state = TrainingState(self.step, fit, epoch, step_in_epoch, dict(self.metrics), loop)
        target = self.folder / str(self.step)
        checkpoints.save(target, state, named, remembered, self._before(fit))
        self._publish(self.step, target)

    def save_end(
        self, named: checkpoints.Named, fit: int, epochs: int, remembered: Remembered, *, loop: bool = False
    ) -> None:
        """The same at the end of a fit or loop; it goes with all later checkpoints."""
        self._saved_at = time.monotonic()
        end = self.folder / checkpoints.FINISHED_FOLDER / str(fit)
        state = TrainingState(self.step, fit, epochs, 0, dict(self.metrics), loop)
        checkpoints.save(end, state, named, remembered, {})
        if self.step not in self._saved and self.resume is None:
            target = self.folder / str(self.step)
            checkpoints.copy(end, target, self._before(fit))
            self._publish(self.step, target)
        self._keep_end(fit, end)

    def _before(self, fit: int) -> dict[int, Path]:
        """Ends of earlier fits and loops."""
        return {number: end for number, end in self._finished.items() if number < fit}

    def _keep_end(self, fit: int, end: Path) -> None:
        size = sum(map(_bytes, [*self._finished.values(), end]))
        if size <= MAX_FINISHED_BYTES and len(self._finished) < MOST_FINISHED:
            self._finished[fit] = end
            return
        shutil.rmtree(end)
        if not self._is_full:
            self._is_full = True
            print(
                f"checkpoints: what fit {fit} has trained does not go with later checkpoints, which hold "
                f"{MAX_FINISHED_BYTES >> 20} MiB of {MOST_FINISHED} finished fits at most; an attempt that goes on "
                "behind it trains it again"
            )

    def has_ended(self, fit: int, end: Path) -> None:
        """An earlier attempt had finished this fit or loop, and left the checkpoint `end`."""
        self._finished.setdefault(fit, end)

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


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
