"""Workers, as people see them."""

from dataclasses import dataclass

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.auth.roles import READERS, may
from modelyard.foundation.errors import PermissionDenied
from modelyard.scheduler.domain.errors import worker_not_found
from modelyard.scheduler.domain.events import WorkerCordoned, WorkerDrained, WorkerUncordoned
from modelyard.scheduler.domain.placement import free_devices
from modelyard.scheduler.domain.workers import Worker, WorkerState
from modelyard.scheduler.service.engine import Engine
from modelyard.scheduler.service.ports import Audit

Command = type[WorkerCordoned] | type[WorkerUncordoned] | type[WorkerDrained]

_ACTIONS: dict[Command, str] = {
    WorkerCordoned: "CordonWorker",
    WorkerUncordoned: "UncordonWorker",
    WorkerDrained: "DrainWorker",
}


@dataclass(frozen=True, slots=True)
class WorkerView:
    worker: Worker
    state: WorkerState
    attempts: tuple[str, ...]
    """Of the projects that the caller may see."""


class Workers:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, caller: Identity, name: str) -> WorkerView:
        check_viewer(caller)
        worker = self._engine.state.workers.get(name)
        if worker is None:
            raise worker_not_found(name)
        return self._view(caller, worker)

    def page(self, caller: Identity, after: str, limit: int) -> tuple[list[WorkerView], str]:
        """In the order of their names; and the name that the next page begins after, "" on the last one."""
        check_viewer(caller)
        workers = self._engine.state.workers
        names = sorted(name for name in workers if name > after)
        shown = [self._view(caller, workers[name]) for name in names[:limit]]
        return shown, names[limit - 1] if len(names) > limit else ""

    async def command(self, caller: Identity, name: str, command: Command) -> WorkerView:
        await self._engine.happen(
            lambda now, jitter: command(now=now, jitter=jitter, worker=name),
            Audit.of(caller, _ACTIONS[command], name),
        )
        return self.get(caller, name)

    def _view(self, caller: Identity, worker: Worker) -> WorkerView:
        state = self._engine.state
        free = bool(free_devices(worker, state.in_use().get(worker.name, set())))
        attempts = [attempt.name for attempt in state.attempts_on(worker.name)]
        return WorkerView(worker, worker.state(free), tuple(name for name in attempts if may(caller, READERS, name)))


def check_viewer(caller: Identity) -> None:
    """Whoever may read in any project may see which workers and templates there are."""
    if READERS.isdisjoint(caller.projects.values()):
        raise PermissionDenied("this needs the role viewer, editor or admin in some project")
