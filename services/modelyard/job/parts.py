"""Work that is done part by part: each part becomes a file, and a checkpoint is the files of the parts that are done.

An attempt that goes on has them again, as they were, and begins behind them.

A checkpoint is a copy of all files so far. So that many of them do not cost more than the work itself, one is made when
as much has come since the last as is a quarter of that, or when copying takes a tenth of the time at most: less than
five times of all bytes are copied, or a tenth of the time is spent on it.
"""

import shutil
import time
from pathlib import Path

from modelyard.job import checkpoints
from modelyard.job.training import Stopped, Training

GROWTH = 4
SHARE = 10


class Parts:
    """The files of one folder. What is done is counted in whatever the job counts its progress in."""

    def __init__(self, training: Training, folder: Path) -> None:
        """`folder` gets the files that an earlier attempt has kept; what else lies there is removed."""
        self._training = training
        self._folder = folder
        self.done = 0
        """How much of the work those files hold."""
        self._kept = 0
        self._kept_bytes = 0
        self._copying_s = 0.0
        """How long the last copy took."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if training.resume is not None:
            place, state = training.resume
            self.done = self._kept = state.step
            for path in place.iterdir():
                if path.name != checkpoints.STATE_FILE:
                    shutil.copyfile(path, folder / path.name)
        self._kept_bytes = self._bytes

    @property
    def stopping(self) -> bool:
        """Whether the worker wants the job to end: `keep` what is done, and it ends there."""
        return self._training.channel.stop.is_set()

    def keep(self, done: int) -> None:
        """A part is complete, or nothing more will be: the files are a checkpoint if it is time for one, or the job is
        to end. Then it ends here."""
        training = self._training
        if done > self._kept and (self.stopping or (training.is_due() and self._is_worth_it)):
            began = time.monotonic()
            training.save_files(done, self._folder)
            self._copying_s = time.monotonic() - began
            self._kept, self._kept_bytes = done, self._bytes
        if self.stopping:
            training.step = self._kept
            raise Stopped

    @property
    def _bytes(self) -> int:
        return sum(path.stat().st_size for path in self._folder.iterdir())

    @property
    def _is_worth_it(self) -> bool:
        if self._training.since_saved >= SHARE * self._copying_s:
            return True
        return GROWTH * (self._bytes - self._kept_bytes) >= self._kept_bytes
