"""Looks for what is missing on this machine."""

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.objectstore.embedded import find_weed
from modelyard.foundation.sandbox.capabilities import Capabilities, look
from modelyard.foundation.sandbox.policy import Tier
from modelyard.local.folder import DataFolder

_NVIDIA = Path("/proc/driver/nvidia/gpus")
_MIN_DISK_BYTES = 2 << 30
_MIN_MEMORY_BYTES = 2 << 30
_PROBE_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    found: str
    """What is so and, where it is not ok, what to do."""
    ok: bool = True

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)


def examine(path: Path) -> list[Finding]:
    """Everything that the installation needs or can use."""
    folder = DataFolder(path)
    looks: tuple[Callable[[], Finding], ...] = (
        _python,
        _memory,
        lambda: _disk(folder),
        lambda: _store(folder),
        _model_server,
        _fronts,
        _tensorflow,
    )
    return [*(find() for find in looks), *confinement(look())]


def confinement(able: Capabilities) -> list[Finding]:
    """Both tiers of the sandbox, and who keeps programs within their memory."""
    problem = able.problem(Tier.SHIPPED)
    if problem:
        shipped = Finding("our own jobs", problem, ok=False)
    elif able.landlock:
        shipped = Finding("our own jobs", f"confined by Landlock (ABI {able.landlock}) and system call filters")
    else:
        shipped = Finding(
            "our own jobs",
            "confined by system call filters only, they can read what this user can: Landlock is missing or off "
            "(Linux 5.13 and later, with landlock among lsm= in /sys/kernel/security/lsm)",
        )
    problem = able.problem(Tier.FOREIGN)
    data = "decoded in namespaces of its own" if not problem else f"not decoded, so no job runs: {problem}"
    if able.decodes_by_landlock:
        data = f"decoded under Landlock (ABI {able.landlock}) and system call filters, for want of namespaces"
    foreign = f"refused: {problem}" if problem else f"kept apart by bubblewrap {able.bubblewrap}"
    limits = f"limited by the kernel (control groups {able.cgroup})"
    shares = "shared out evenly among jobs and model servers, by the kernel (control groups)"
    if able.cgroup == "none":
        limits = "the worker looks four times a second: there is no control group for us (systemd: Delegate=yes)"
    if not able.shares_cpu:
        shares = (
            "whoever has more processes gets more: there is no control group for the CPU for us "
            "(systemd: Delegate=cpu memory pids)"
        )
    return [
        shipped,
        Finding("data of jobs", data, ok=not problem or able.decodes_by_landlock),
        Finding("code and models of others", foreign, ok=not problem),
        Finding("memory of jobs", limits),
        Finding("CPU of jobs", shares),
    ]


def _python() -> Finding:
    return Finding("Python", f"{platform.python_version()} on {platform.machine()}, {' '.join(platform.libc_ver())}")


def _memory() -> Finding:
    available = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemAvailable:")
    )
    enough = available >= _MIN_MEMORY_BYTES
    advice = "" if enough else "; a job and a model server take about 1 GB each: close something"
    return Finding("memory", f"{available / 1e9:.1f} GB available{advice}", enough)


def _disk(folder: DataFolder) -> Finding:
    place = next(parent for parent in (folder.root, *folder.root.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    enough = free >= _MIN_DISK_BYTES
    return Finding("disk", f"{free / 1e9:.1f} GB free for {folder.root}{'' if enough else '; free some'}", enough)


def _store(folder: DataFolder) -> Finding:
    facts = folder.read_up()
    if facts is not None:
        return Finding("object store", f"{facts['store']['title']} (running)")
    record = folder.root / "store.json"
    if record.exists():
        return Finding("object store", f"{json.loads(record.read_text())['kind']} (recorded)")
    if shutil.which("minio"):
        return Finding("object store", f"{shutil.which('minio')} will be used")
    try:
        program, version = find_weed()
    except ModelyardError as error:
        return Finding("object store", error.message, ok=False)
    return Finding("object store", f"SeaweedFS {version}, embedded, for evaluation ({program})")


def _model_server() -> Finding:
    real = shutil.which("tensorflow_model_server")
    if real:
        return Finding("model server", real)
    return Finding("model server", "embedded (tensorflow_model_server is not on PATH)")


def _fronts() -> Finding:
    shared = sysconfig.get_config_var("Py_ENABLE_SHARED")
    if shared:
        return Finding("data path", "Python inside Envoy")
    return Finding(
        "data path",
        "beside Envoy, about half as fast: this Python has no shared libpython; "
        "a Python built with --enable-shared (Debian: apt-get install libpython3-dev; conda; uv) is faster",
    )


def _tensorflow() -> Finding:
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "HOME") if name in os.environ}
    probe = subprocess.run(
        [sys.executable, "-m", "modelyard.job.probe"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_PROBE_TIMEOUT_S,
        env=environment | {"TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    if probe.returncode != 0:
        last = next((line for line in reversed(probe.stderr.splitlines()) if line.strip()), "it was killed")
        return Finding("TensorFlow", f"can't be loaded: {last}", ok=False)
    seen = json.loads(probe.stdout.splitlines()[-1])
    accelerators = [f"{kind}:{index} {model}" for kind, index, model, _ in seen["accelerators"]]
    present = sorted(_NVIDIA.iterdir()) if _NVIDIA.is_dir() else []
    if present and not any(kind == "gpu" for kind, *_ in seen["accelerators"]):
        return Finding(
            "TensorFlow",
            f"{seen['tensorflow']}: {len(present)} GPU(s) present, but TensorFlow can't use them; "
            "install the CUDA libraries: make setup EXTRAS=gpu",
            ok=False,
        )
    return Finding("TensorFlow", f"{seen['tensorflow']}: {'; '.join([seen['cpu'], *accelerators])}")
