"""An attempt's folder."""

import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modelyard.trainer.domain import AttemptFailed, FailureClass

log = logging.getLogger(__name__)


class Workspace:
    """`work_folder/attempts/<project>.<job>.<n>/`: what the job's process gets, and what it leaves behind."""

    def __init__(self, root: Path, attempt: str) -> None:
        _, project, _, job, _, number = attempt.split("/")
        self.folder = root / "attempts" / f"{project}.{job}.{number}"
        self.job_file = self.folder / "job.json"
        self.dataset = self.folder / "inputs" / "dataset"
        self.resume = self.folder / "resume"
        self.checkpoints = self.folder / "checkpoints"
        self.model = self.folder / "model"
        self.scratch = self.folder / "scratch"

    def create(self) -> None:
        """An empty one; what an earlier process left under this name is removed. Raises OSError."""
        self.remove()
        for folder in (self.dataset.parent, self.checkpoints, self.scratch):
            folder.mkdir(parents=True)

    def inside(self, path: str) -> Path:
        """A folder that the job names; AttemptFailed when it is not in here, for what is named there is published."""
        folder = self.folder.resolve()
        named = (folder / path).resolve()
        if not named.is_relative_to(folder):
            raise AttemptFailed(FailureClass.USER_CODE, f"the job named a folder that is not its own: {path[:200]}")
        return named

    def remove(self) -> None:
        """Free its space. What can't be removed is logged, and tried again when the worker starts."""
        _remove(self.folder)


def clear_leftovers(root: Path) -> None:
    """Attempts' folders of a worker that was killed, and processes that its jobs had started: the kernel ends a job
    with its worker, but not what a job has started."""
    for pid in _processes_of(root / "attempts"):
        log.warning("a process of an earlier job is still there; killing it", extra={"pid": pid})
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    _remove(root / "attempts")


def _processes_of(attempts: Path) -> Iterator[int]:
    """Processes whose home is an attempt's folder: `child.py` gives it to nobody else."""
    mark = b"HOME=" + os.fsencode(attempts) + b"/"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue  # it has ended, or is somebody else's
            if any(variable.startswith(mark) for variable in environment.split(b"\0")):
                yield int(entry.name)


def _remove(folder: Path) -> None:
    if not folder.exists():
        return
    for place, names, _ in os.walk(folder):
        for inner in (Path(place) / name for name in names):
            if not inner.is_symlink():
                inner.chmod(0o700)  # a job may have closed its own folders
    shutil.rmtree(folder, onerror=_not_removed)


def _not_removed(function: Callable[..., Any], path: str, info: Any) -> None:
    if not isinstance(info[1], FileNotFoundError):
        log.warning("a work folder's file can't be removed", extra={"path": path, "error": str(info[1])})
