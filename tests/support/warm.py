"""Processes of jobs that need not import TensorFlow: each is forked from one that has done that and nothing else.

An import takes two seconds of a processor, many times in a run of the tests. How a job's process begins without any of
this is what tests of workers, of whole installations and of a job's first lines see.
"""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from modelyard.job.trial import Trial, local_arguments, make_dataset

IMPORTED = ("tensorflow", "keras", "modelyard.job.session", "modelyard.job.hooks", "modelyard.job.failures")
FIRST_FD = 100
"""Where the inherited files of such a process are, one after the other."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(IMPORTED))


class Process:
    """One of them, with what subprocess.Popen has."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit status, negative for a signal."""
        self._process.join(timeout_s)
        status = self._process.exitcode
        assert status is not None, f"it runs after {timeout_s} s"
        return status


def start(
    module: str, *arguments: str, log: Path, environment: Mapping[str, str], inherited: Sequence[int] = ()
) -> Process:
    """`python -m {module} {arguments}`; `inherited` files are FIRST_FD and what follows there."""
    given = [DupFd(fd) for fd in inherited]
    process = _context.Process(target=_run, args=(module, arguments, str(log), dict(environment), given))
    process.start()
    return Process(process)


def try_package(code: Path, folder: Path, *, dataset: Path | None = None, **parameters: Any) -> Trial:
    """`modelyard.job.trial.try_package`, in such a process."""
    if dataset is None:
        dataset = folder / "dataset"
        make_dataset(dataset)
    output, log = folder / "run", folder / "printed"
    folder.mkdir(parents=True, exist_ok=True)
    arguments = local_arguments(code, dataset, output, **parameters)
    process = start("modelyard.job.local", *arguments, log=log, environment=os.environ)
    return Trial(process.wait(), log.read_text(), output / "model", output / "outputs")


def _run(module: str, arguments: Sequence[str], log: str, environment: Mapping[str, str], given: list[Any]) -> None:
    """In the new process."""
    for number, fd in enumerate(given, FIRST_FD):
        os.dup2(fd.detach(), number)
    with Path(log).open("wb") as file:
        for standard in (1, 2):
            os.dup2(file.fileno(), standard)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["", *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
