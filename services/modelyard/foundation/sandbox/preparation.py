"""Everything that is made for a sandbox before its program starts, and taken down after its end."""

import asyncio
import os
import resource
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard.foundation.sandbox import bubblewrap, capabilities, cgroups, host, landlock, owner, seccomp
from modelyard.foundation.sandbox.policy import Limits, Sandbox, SandboxUnavailable, Tier
from modelyard.foundation.sandbox.watch import longest_file

_OUR_PROCESSES = 2
"""bubblewrap and the guardian count too."""
_NAMES = {
    "/etc/passwd": "job:x:{0}:{0}:job:/tmp:/bin/false\n",
    "/etc/group": "job:x:{0}:\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
_DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "full", "random", "urandom"))

_lock = threading.Lock()
_known: capabilities.Capabilities | None = None


@dataclass(slots=True)
class Prepared:
    sandbox: Sandbox
    command: list[str]
    """What the guardian is started by."""
    group: cgroups.Group | None
    user: owner.User | None
    landlock: landlock.Ruleset | None
    descriptors: list[int] = field(default_factory=list)

    @property
    def own_processes(self) -> bool:
        """Whether it has process numbers of its own."""
        return self.sandbox.tier is Tier.FOREIGN

    @property
    def doors(self) -> list[Path]:
        return self.group.doors if self.group else []

    def orders(self, guardian: int) -> dict[str, Any]:
        """For stage.py, but for what is the caller's."""
        number = self.user.number if self.user else 0
        return {
            "user": (number, number, [owner.READERS]) if number else None,
            "own_processes": self.own_processes,
            "limits": _rlimits(self.sandbox.limits, own_count=self.own_processes),
            "landlock": self.landlock,
            "seccomp": seccomp.confinement(
                network=self.sandbox.network, guardian=0 if self.own_processes else guardian
            ),
        }

    def close_descriptors(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()

    async def emptied(self, timeout_s: float) -> None:
        """Returns when the kernel has taken away the last process in the group."""
        deadline = time.monotonic() + timeout_s
        while self.group is not None and self.group.processes() and time.monotonic() < deadline:
            self.group.kill()
            await asyncio.sleep(0.005)  # between looks

    def undo(self) -> None:
        self.close_descriptors()
        if self.group is not None:
            self.group.remove()
        if self.user is not None:
            owner.give_back(self.sandbox.writable, self.sandbox.readable)
            self.user.close()


def tier_for_data() -> Tier:
    """For code of ours that decodes what others have pushed: the FOREIGN tier; where this machine refuses namespaces,
    the SHIPPED one if Landlock keeps files apart in it. With neither it is the FOREIGN one, which says what to do."""
    able = _looked(Tier.FOREIGN)
    return Tier.SHIPPED if able.decodes_by_landlock else Tier.FOREIGN


def prepare(sandbox: Sandbox) -> Prepared:
    """Raises SandboxUnavailable with what to do where this machine can't run such a program."""
    able = _able(sandbox)
    for folder in sandbox.writable:
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is to be writable but is no folder")
    prepared = Prepared(sandbox, [], None, None, None)
    try:
        if sandbox.tier is Tier.FOREIGN:
            assert able.program is not None
            _prepare_foreign(prepared, able.program, able.landlock)
        elif able.landlock:
            prepared.landlock = _rules(sandbox, able.landlock)
        prepared.group = _group(sandbox.limits)
    except BaseException:
        prepared.undo()
        raise
    return prepared


def _looked(tier: Tier) -> capabilities.Capabilities:
    """Trying costs a tenth of a second: it's done again only where it did not work before."""
    global _known
    with _lock:
        if _known is None or _known.problem(tier):
            _known = capabilities.look()
            place = cgroups.find()
            if place is not None:
                cgroups.remove_stale(place)
        return _known


def _able(sandbox: Sandbox) -> capabilities.Capabilities:
    able = _looked(sandbox.tier)
    problem = able.problem(sandbox.tier)
    if problem:
        raise SandboxUnavailable(
            f"this machine can't keep code, models and data of others apart, so none is run or read here: {problem}"
            if sandbox.tier is Tier.FOREIGN
            else f"this machine can't confine a program: {problem}"
        )
    return able


def _prepare_foreign(prepared: Prepared, program: bubblewrap.Program, abi: int) -> None:
    sandbox = prepared.sandbox
    number = bubblewrap.USER
    owner.separate(sandbox.writable, sandbox.readable)
    if os.geteuid() == 0:
        prepared.user = owner.User()
        number = prepared.user.number
        owner.open_to_readers([*sandbox.readable, *filter(owner.is_private, host.interpreter())])
        prepared.user.take(sandbox.writable, sandbox.readable)
    names = {path: text for path, text in _NAMES.items() if path != "/etc/hosts" or not sandbox.network}
    files = {path: _readable_once(text.format(number)) for path, text in names.items()}
    prepared.descriptors += files.values()
    prepared.command = bubblewrap.command(program, sandbox, files)
    prepared.landlock = landlock.scopes_only(abi)


def _readable_once(text: str) -> int:
    """A descriptor to read a short text from."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return reading


def _rules(sandbox: Sandbox, abi: int) -> landlock.Ruleset:
    system = host.system(network=sandbox.network, accelerators=bool(sandbox.devices))
    readable = [*system, *map(Path, _NAMES), Path("/proc"), *host.interpreter(), *sandbox.readable]
    # What several GPUs share goes through there.
    shared = [Path("/dev/shm")] if sandbox.devices else []
    return landlock.ruleset(
        abi,
        readable,
        [*sandbox.writable, *shared],
        [*_DEVICES, *sandbox.devices],
        listed=host.import_folders(),
        network=sandbox.network,
    )


def _group(limits: Limits) -> cgroups.Group | None:
    place = cgroups.find()
    if place is None:
        return None
    return cgroups.Group(place, memory_bytes=limits.memory_bytes, pids=limits.pids and limits.pids + _OUR_PROCESSES)


def _rlimits(limits: Limits, *, own_count: bool) -> list[tuple[int, int]]:
    """Second to the control group. No RLIMIT_AS: CUDA reserves more addresses than there is memory."""
    chosen = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, limits.open_files)]
    if longest := longest_file(limits):
        chosen.append((resource.RLIMIT_FSIZE, longest))
    if limits.pids and own_count:
        # It counts by user, so it's for a program that is a user of its own.
        chosen.append((resource.RLIMIT_NPROC, limits.pids + _OUR_PROCESSES))
    return chosen
