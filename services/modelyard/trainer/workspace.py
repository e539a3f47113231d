"""An attempt's folder, and beside it the one with copies of what the job has made."""

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.removal import remove_tree

log = logging.getLogger(__name__)


class Workspace:
    """`work_folder/attempts/<project>.<job>.<n>/`: what the job's process gets, and what it leaves behind.

    The job may do there what it likes; `staged` is out of its reach.
    """

    def __init__(self, root: Path, attempt: str) -> None:
        _, project, _, job, _, number = attempt.split("/")
        self.folder = root / "attempts" / f"{project}.{job}.{number}"
        self.job_file = self.folder / "job.json"
        self.staged = root / "staged" / self.folder.name
        self.code = self.folder / "code"
        self.inputs = self.folder / "inputs"
        self.dataset = self.inputs / "dataset"
        self.input_model = self.inputs / "model"
        self.source = self.inputs / "source"
        self.earlier = self.inputs / "earlier"
        self.resume = self.folder / "resume"
        self.checkpoints = self.folder / "checkpoints"
        self.model = self.folder / "model"
        self.scratch = self.folder / "scratch"
        self.run_output = self.folder / "outputs" / "run"
        self.report = self.folder / "outputs" / "report"

    def create(self) -> None:
        """An empty one; what an earlier process left under this name is removed. Raises OSError."""
        self.remove()
        for folder in (self.inputs, self.checkpoints, self.scratch, self.run_output, self.report, self.staged):
            folder.mkdir(parents=True)

    def inside(self, path: str) -> Path:
        """A folder that the job names, relative to its own; AttemptFailed when it is not below that.

        Nothing is looked up: what lies there is whatever the job makes of it in the next moment.
        """
        named = PurePosixPath(path)
        own = PurePosixPath(self.folder.resolve())
        if named.is_absolute():
            named = named.relative_to(own) if named.is_relative_to(own) else PurePosixPath()
        if not named.parts or ".." in named.parts or "\0" in path:
            raise AttemptFailed(FailureClass.USER_CODE, f"the job named a folder that is not its own: {path[:200]}")
        return Path(named)

    @contextlib.contextmanager
    def opened(self, path: Path) -> Iterator[Path]:
        """A way to the folder above `path`, which `inside` has answered, that no link of the job can bend; with the
        last name of `path` behind it. Raises OSError where there is no such folder."""
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.folder, flags)
        try:
            for name in path.parts[:-1]:
                deeper = os.open(name, flags, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = deeper
            yield Path(f"/proc/self/fd/{descriptor}", path.name)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Free its space. What can't be removed is logged, and tried again when the worker starts."""
        remove_tree(self.folder)
        remove_tree(self.staged)


def clear_leftovers(root: Path) -> None:
    """Attempts' folders of a worker that was killed, and processes that its jobs had started: the kernel ends a job
    with its worker, but not what a job has started."""
    for pid in _processes_of(root / "attempts"):
        log.warning("a process of an earlier job is still there; killing it", extra={"pid": pid})
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for name in ("attempts", "staged", "builds"):
        remove_tree(root / name)


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
