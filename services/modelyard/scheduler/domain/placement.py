"""Who gets which devices next, and why the others wait.

Feasibility before order: a job that no connected worker could ever run, or that waits after a loss, holds up nobody.
A job that could run but finds its devices busy keeps them for itself: later jobs may not overtake it there.

Jobs that ask for no device run beside the others: one at a time on a worker, in a queue of their own. They take nothing
that the others need, so neither waits for the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from modelyard.scheduler.domain.devices import Ask, Device, DeviceKey, DeviceKind
from modelyard.scheduler.domain.jobs import Job, JobState
from modelyard.scheduler.domain.state import State
from modelyard.scheduler.domain.workers import Worker


class PendingReason(StrEnum):
    BEHIND_OTHERS = "BEHIND_OTHERS"
    WORKERS_BUSY = "WORKERS_BUSY"
    NO_MATCHING_WORKER = "NO_MATCHING_WORKER"
    BACKOFF = "BACKOFF"


@dataclass(frozen=True, slots=True)
class Pending:
    reason: PendingReason
    message: str
    jobs_ahead: int


@dataclass(frozen=True, slots=True)
class Placement:
    job: str
    worker: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    placements: tuple[Placement, ...]
    pending: dict[str, Pending]
    """By job, of every job that stays queued."""


def survey(state: State, now: datetime) -> Survey:
    """Looks at every queued job in its turn."""
    rooms = _rooms(state)
    queued = sorted((job for job in state.jobs.values() if job.state is JobState.QUEUED), key=lambda job: job.turn)
    placements: list[Placement] = []
    pending: dict[str, Pending] = {}
    for beside in (False, True):
        for ahead, job in enumerate(job for job in queued if job.ask.beside is beside):
            outcome = _look_beside(job, rooms, now, ahead) if beside else _look(job, rooms, now, ahead)
            if isinstance(outcome, Placement):
                placements.append(outcome)
            else:
                pending[job.name] = outcome
    return Survey(tuple(placements), pending)


def has_room(state: State) -> bool:
    """Whether a survey could place anything at all; cheap."""
    waiting = {job.ask.beside for job in state.jobs.values() if job.state is JobState.QUEUED}
    if not waiting:
        return False
    rooms = [room for room in _rooms(state).values() if room.present]
    return (False in waiting and any(room.free for room in rooms)) or (
        True in waiting and any(room.beside_free for room in rooms)
    )


def free_devices(worker: Worker, used: set[DeviceKey]) -> list[Device]:
    return [device for device in worker.devices if not device.problem and device.key not in used]


@dataclass(slots=True)
class _Room:
    """What is left on a worker while a survey goes on."""

    worker: str
    present: bool
    total: dict[DeviceKind, int]
    free: dict[DeviceKind, list[Device]]
    unusable: tuple[Device, ...] = ()
    beside_free: bool = True
    """No job runs here beside the others."""
    kept: set[DeviceKind] = field(default_factory=set)
    """Kinds that an earlier job waits for."""

    def could_run(self, ask: Ask) -> bool:
        return any(self.total.get(kind, 0) >= ask.count for kind in ask.kinds)

    def fits_now(self, kind: DeviceKind, count: int) -> bool:
        return self.present and kind not in self.kept and len(self.free.get(kind, ())) >= count


def _rooms(state: State) -> dict[str, _Room]:
    used, taken = state.in_use(), state.beside()
    rooms = {}
    for worker in state.workers.values():
        if not worker.takes_jobs:
            continue
        total: dict[DeviceKind, int] = {}
        free: dict[DeviceKind, list[Device]] = {}
        for device in worker.devices:
            if not device.problem:
                total[device.kind] = total.get(device.kind, 0) + 1
        for device in free_devices(worker, used.get(worker.name, set())):
            free.setdefault(device.kind, []).append(device)
        unusable = tuple(device for device in worker.devices if device.problem)
        rooms[worker.name] = _Room(
            worker.name, worker.present, total, free, unusable, beside_free=worker.name not in taken
        )
    return rooms


def _look(job: Job, rooms: dict[str, _Room], now: datetime, ahead: int) -> Placement | Pending:
    if job.not_before is not None and job.not_before > now:
        return Pending(PendingReason.BACKOFF, _backoff(job), ahead)
    could = [room for room in rooms.values() if room.could_run(job.ask)]
    if not could:
        return Pending(PendingReason.NO_MATCHING_WORKER, _no_match(job, rooms), ahead)
    placement = _place(job, could)
    if placement is not None:
        return placement
    behind = any(kind in room.kept for room in could for kind in job.ask.kinds)
    for room, kind in _wanted(job.ask, could):
        room.kept.add(kind)
    if behind:
        return Pending(PendingReason.BEHIND_OTHERS, f"{_count(ahead, 'queued job')} before it", ahead)
    return Pending(
        PendingReason.WORKERS_BUSY,
        f"it needs {job.ask}; {_count(len(could), 'worker')} could run it and {_be(len(could))} busy",
        ahead,
    )


def _look_beside(job: Job, rooms: dict[str, _Room], now: datetime, ahead: int) -> Placement | Pending:
    if job.not_before is not None and job.not_before > now:
        return Pending(PendingReason.BACKOFF, _backoff(job), ahead)
    if not rooms:
        return Pending(PendingReason.NO_MATCHING_WORKER, _no_match(job, rooms), ahead)
    fitting = [room for room in rooms.values() if room.present and room.beside_free]
    if not fitting:
        message = f"it runs beside other jobs, one at a time on a worker; {_count(ahead, 'such job')} before it"
        return Pending(PendingReason.BEHIND_OTHERS if ahead else PendingReason.WORKERS_BUSY, message, ahead)
    # Where most is idle it is least in the way.
    room = min(fitting, key=lambda room: (-sum(map(len, room.free.values())), room.worker))
    room.beside_free = False
    return Placement(job.name, room.worker, ())


def _place(job: Job, could: list[_Room]) -> Placement | None:
    """The tightest fit of the first kind that is free anywhere."""
    for kind in job.ask.kinds:
        fitting = [room for room in could if room.fits_now(kind, job.ask.count)]
        if fitting:
            room = min(fitting, key=lambda room: (len(room.free[kind]), room.worker))
            taken, room.free[kind] = room.free[kind][: job.ask.count], room.free[kind][job.ask.count :]
            if not room.free[kind]:
                del room.free[kind]
            return Placement(job.name, room.worker, tuple(taken))
    return None


def _wanted(ask: Ask, could: list[_Room]) -> Iterator[tuple[_Room, DeviceKind]]:
    for room in could:
        for kind in ask.kinds:
            if room.total.get(kind, 0) >= ask.count:
                yield room, kind


def _backoff(job: Job) -> str:
    assert job.not_before is not None
    at = job.not_before.strftime("%H:%M:%S")
    return (
        f"attempt {job.attempt_number} was lost ({job.losses} of {job.max_attempts} times); the next starts at {at} UTC"
    )


def _no_match(job: Job, rooms: dict[str, _Room]) -> str:
    if not rooms:
        return f"it needs {job.ask}; no worker that takes jobs is connected (start one: `modelyard worker run`)"
    have = ", ".join(f"{room.worker.removeprefix('workers/')}: {_inventory(room)}" for room in list(rooms.values())[:5])
    return f"it needs {job.ask}; no connected worker has that ({have}){_unusable(job, rooms)}"


def _unusable(job: Job, rooms: dict[str, _Room]) -> str:
    """Devices of the right kind are there, and something is wrong with them."""
    for room in rooms.values():
        for device in room.unusable:
            if device.kind in job.ask.kinds:
                return f"; {room.worker.removeprefix('workers/')} has a {device.kind}, but {device.problem}"
    return ""


def _inventory(room: _Room) -> str:
    return " + ".join(str(Ask(kind, count)) for kind, count in sorted(room.total.items())) or "no usable device"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _be(number: int) -> str:
    return "is" if number == 1 else "are"
