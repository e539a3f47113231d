"""The life of a served version, with model servers that live in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from modelyard.modelhost.domain import CannotServe, NotNow, Order, State
from modelyard.modelhost.served import ModelServer, ServedVersion
from tests.support.eventually import eventually

ORDER = Order("projects/p/deployments/d", "projects/p/models/m/versions/3", "sha256:1", "p.d", batching=False)


class MemoryServer:
    endpoint = "unix:/run/s.sock"

    def __init__(self, error: str = "") -> None:
        self._error = error
        self.died: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.stopped = False

    async def ready(self) -> None:
        if self._error:
            raise CannotServe(self._error)

    async def ended(self) -> str:
        return await asyncio.shield(self.died)

    async def stop(self) -> None:
        self.stopped = True

    def memory_bytes(self) -> int:
        return 0 if self.stopped else 7


class Machine:
    """Both ports; `errors` come before the tree, `failures` are starts that do not get ready."""

    def __init__(self, *errors: Exception, failures: int = 0) -> None:
        self._errors = list(errors)
        self._failures = failures
        self.servers: list[MemoryServer] = []
        self.pinned = 0
        self.changes = 0

    @asynccontextmanager
    async def tree(self, order: Order, progress: Callable[[str], None]) -> AsyncIterator[Path]:
        progress("fetching 1 of 2 MiB")
        if self._errors:
            raise self._errors.pop(0)
        self.pinned += 1
        try:
            yield Path("/tree")
        finally:
            self.pinned -= 1

    async def start(self, order: Order, tree: Path) -> ModelServer:
        self.servers.append(MemoryServer("does not load" if len(self.servers) < self._failures else ""))
        return self.servers[-1]

    def changed(self) -> None:
        self.changes += 1


def begin(machine: Machine) -> ServedVersion:
    return ServedVersion(ORDER, machine, machine, machine.changed)


async def until(served: ServedVersion, state: State) -> None:
    await eventually(lambda: served.report().state is state)


async def end(served: ServedVersion) -> None:
    served.stop()
    await served.ended()


async def test_it_serves_and_stops() -> None:
    machine = Machine()
    served = begin(machine)
    assert served.report().state is State.FETCHING
    await until(served, State.SERVING)
    report = served.report()
    assert (report.endpoint, report.memory_bytes, report.message, machine.pinned) == ("unix:/run/s.sock", 7, "", 1)
    served.stop()
    assert served.report().state is State.STOPPING
    await served.ended()
    assert served.gone
    assert machine.servers[0].stopped
    assert machine.pinned == 0


async def test_a_death_is_answered_with_a_new_start() -> None:
    machine = Machine()
    served = begin(machine)
    await until(served, State.SERVING)
    machine.servers[0].died.set_result("the model server ended by SIGKILL")
    await eventually(lambda: len(machine.servers) == 2 and served.report().state is State.SERVING)
    assert served.report().restart_count == 1
    assert machine.servers[0].stopped
    await end(served)


async def test_what_cannot_be_fetched_now_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.modelhost.served._NOT_NOW_S", (0.1, 30.0))
    machine = Machine(NotNow("the catalog is away"))
    served = begin(machine)
    await eventually(lambda: "the catalog is away; trying again" in served.report().message)
    assert served.report().state is State.FETCHING
    await until(served, State.SERVING)
    await end(served)


async def test_what_cannot_be_served_has_failed_and_can_be_stopped() -> None:
    served = begin(Machine(CannotServe("the disk is full")))
    await until(served, State.FAILED)
    assert served.report().message == "the disk is full"
    await end(served)


async def test_a_fault_of_ours_does_not_spin() -> None:
    machine = Machine(ZeroDivisionError())
    served = begin(machine)
    await until(served, State.FAILED)
    assert "its log says what" in served.report().message
    assert machine.servers == []
    await end(served)
