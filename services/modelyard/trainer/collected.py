"""Copies of what a job has made, out of its reach: what is published is what was copied, not what it makes of it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

from modelyard.foundation.sandbox.outputs import HostileOutput, copy_out
from modelyard.foundation.sandbox.policy import Limits
from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.removal import remove_tree
from modelyard.trainer.workspace import Workspace

P = ParamSpec("P")


class Collector:
    """One attempt's copies. Those of one name replace each other."""

    def __init__(self, workspace: Workspace, limits: Limits) -> None:
        self._workspace = workspace
        self._limits = limits

    async def take(self, path: str, name: str, failure: FailureClass = FailureClass.USER_CODE) -> Path:
        """A copy of the folder that the job calls `path`, as `staged/name`.

        Raises AttemptFailed of class `failure` when it holds anything but regular files and folders, or too much.
        """
        inside, target = self._workspace.inside(path), self._workspace.staged / name
        try:
            await seen_through(self._copy, inside, target)
        except HostileOutput as error:
            raise AttemptFailed(failure, f"what the job left in {inside} is not kept: {error.message}") from error
        except (FileNotFoundError, NotADirectoryError) as error:
            raise AttemptFailed(failure, f"the job left no folder {str(inside)[:200]}") from error
        return target

    async def drop(self, name: str) -> None:
        """Free a copy's space."""
        await seen_through(remove_tree, self._workspace.staged / name)

    def _copy(self, inside: Path, target: Path) -> None:
        remove_tree(target)
        with self._workspace.opened(inside) as source:
            copy_out(source, target, self._limits)


async def seen_through(function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """The call in a thread. Cancelled, it is waited for all the same: what it writes is removed afterwards."""
    call = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait((call,))
        raise
