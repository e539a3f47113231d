"""What a job may use of this machine."""

import os
from dataclasses import replace
from pathlib import Path

from modelyard.foundation.sandbox.policy import Limits
from modelyard.trainer.settings import LimitSettings

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_LEAST_PIDS, _PIDS_A_CORE = 1024, 16
_BUILD_MEMORY_BYTES, _BUILD_PIDS = 2 << 30, 256


def job_limits(settings: LimitSettings, max_runtime_s: float) -> Limits:
    """Of one job; `max_runtime_s` 0 means as long as it likes."""
    return Limits(
        memory_bytes=settings.memory_bytes or int(machine_memory() * settings.memory_share),
        pids=settings.pids or max(_LEAST_PIDS, _PIDS_A_CORE * (os.cpu_count() or 1)),
        file_bytes=settings.disk_bytes,
        disk_bytes=settings.disk_bytes,
        disk_files=settings.disk_files,
        wall_s=max_runtime_s,
    )


def beside(limits: Limits, settings: LimitSettings) -> Limits:
    """Of a job that runs beside others, whose limits would be `limits`: it takes no memory that they were given."""
    return replace(limits, memory_bytes=min(limits.memory_bytes, settings.profile_memory_bytes))


def build_limits(settings: LimitSettings) -> Limits:
    """Of the installation of a package's requirements."""
    return Limits(
        memory_bytes=_BUILD_MEMORY_BYTES,
        pids=_BUILD_PIDS,
        file_bytes=settings.requirements_bytes,
        disk_bytes=settings.requirements_bytes,
        disk_files=settings.disk_files,
        wall_s=1_800.0,
    )


def machine_memory(meminfo: Path = Path("/proc/meminfo"), cgroups: tuple[Path, ...] = _CGROUP_LIMITS) -> int:
    """Bytes that this machine has, or this container where it has less."""
    total = next(
        int(line.split()[1]) * 1024 for line in meminfo.read_text().splitlines() if line.startswith("MemTotal:")
    )
    for path in cgroups:
        if path.is_file() and (text := path.read_text().strip()).isdigit():
            total = min(total, int(text))
    return total
