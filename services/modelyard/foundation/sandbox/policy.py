"""What a program may do, and how it ended."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from modelyard.foundation.errors import FailedPrecondition
from modelyard.foundation.sync.children import Exit


class Tier(StrEnum):
    SHIPPED = "SHIPPED"
    """Code of ours: Landlock, seccomp, rlimits."""
    FOREIGN = "FOREIGN"
    """Code or models of others, and decoders of ours on data of others where this machine can (`tier_for_data`):
    namespaces of their own (bubblewrap) as well."""


class SandboxUnavailable(FailedPrecondition):
    reason = "SANDBOX_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Limits:
    """0 is no limit."""

    memory_bytes: int = 0
    pids: int = 0
    """Processes and threads."""
    file_bytes: int = 0
    """Of one file; `disk_bytes` where that is smaller."""
    disk_bytes: int = 0
    """Of everything under the writable folders, as it lies on the disk."""
    disk_files: int = 0
    open_files: int = 4096
    wall_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Paths are the same inside as outside. The interpreter, its packages and the system's libraries are readable."""

    tier: Tier
    readable: tuple[Path, ...]
    """Stays read-only below a writable folder too. In the SHIPPED tier nothing new can then be made directly in a
    folder above it; what lies beside it is writable."""
    writable: tuple[Path, ...]
    limits: Limits = Limits()
    devices: tuple[Path, ...] = ()
    network: bool = False


class EndKind(StrEnum):
    EXITED = "EXITED"
    """By itself, whatever its status."""
    SIGNAL = "SIGNAL"
    OOM_KILLED = "OOM_KILLED"
    PIDS = "PIDS"
    DISK_QUOTA = "DISK_QUOTA"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True, slots=True)
class End:
    kind: EndKind
    exit: Exit
    message: str
    """A sentence without a full stop, about the program: "it used more than its 64 MiB of memory"."""

    @property
    def ok(self) -> bool:
        return self.kind is EndKind.EXITED and self.exit.ok
