"""Work that is done part by part: each part becomes a file, and a checkpoint is the files of the parts that are done.

An attempt that goes on has them again, as they were, and begins behind them.
"""

import shutil
from pathlib import Path

from modelyard.job import checkpoints
from modelyard.job.training import Stopped, Training


class Parts:
    """The files of one folder. What is done is counted in whatever the job counts its progress in."""

    def __init__(self, training: Training, folder: Path) -> None:
        """`folder` gets the files that an earlier attempt has kept; what else lies there is removed."""
        self._training = training
        self._folder = folder
        self.done = 0
        """How much of the work those files hold."""
        self._kept = 0
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if training.resume is not None:
            place, state = training.resume
            self.done = self._kept = state.step
            for path in place.iterdir():
                if path.name != checkpoints.STATE_FILE:
                    shutil.copyfile(path, folder / path.name)

    @property
    def stopping(self) -> bool:
        """Whether the worker wants the job to end: `keep` what is done, and it ends there."""
        return self._training.channel.stop.is_set()

    def keep(self, done: int) -> None:
        """A part is complete, or nothing more will be: the files are a checkpoint if it is time for one, or the job is
        to end. Then it ends here."""
        training = self._training
        if done > self._kept and (self.stopping or training.is_due()):
            training.save_files(done, self._folder)
            self._kept = done
        if self.stopping:
            training.step = self._kept
            raise Stopped
