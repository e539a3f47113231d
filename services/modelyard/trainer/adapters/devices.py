"""Finds this machine's devices in a short-lived child: TensorFlow never enters the worker, and holds no GPU for it."""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path

from modelyard.trainer.domain import Device, Found

log = logging.getLogger(__name__)

_NVIDIA = Path("/proc/driver/nvidia/gpus")
_TIMEOUT_S = 300.0


async def find_devices(*, cpu_only: bool) -> Found:
    """What TensorFlow sees, and GPUs that the driver has but TensorFlow can't use."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "modelyard.job.probe",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), _TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return Found((), problem=f"TensorFlow did not start within {_TIMEOUT_S:.0f} s")
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        return Found((), problem=_why(process.returncode or 0, err.decode(errors="replace")))
    seen = json.loads(out.splitlines()[-1])
    devices = [Device("cpu", 0, seen["cpu"], seen["memory_bytes"])]
    if not cpu_only:
        devices += [Device(kind, index, model, memory) for kind, index, model, memory in seen["accelerators"]]
        devices += _unusable(devices)
    return Found(tuple(devices), seen["tensorflow"])


def _environment() -> dict[str, str]:
    kept = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TPU_NAME", "LANG")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"TF_CPP_MIN_LOG_LEVEL": "2"}


def _why(status: int, stderr: str) -> str:
    last = next((line for line in reversed(stderr.splitlines()) if line.strip()), "nothing was printed")
    if status == -9:
        return "TensorFlow was killed while it was loading: there is too little memory (about 1 GiB is needed)"
    return f"TensorFlow can't be loaded: {last.strip()}"


def _unusable(seen: list[Device]) -> list[Device]:
    """GPUs that the NVIDIA driver lists, when TensorFlow sees none of them."""
    if any(device.kind == "gpu" for device in seen) or not _NVIDIA.is_dir():
        return []
    problem = (
        "TensorFlow can't use this GPU: its CUDA libraries are missing or don't fit the driver; "
        "install the `gpu` extra (make … EXTRAS=gpu)"
    )
    return [
        Device("gpu", index, _model(folder), problem=problem) for index, folder in enumerate(sorted(_NVIDIA.iterdir()))
    ]


def _model(folder: Path) -> str:
    try:
        lines = (folder / "information").read_text().splitlines()
    except OSError as error:
        log.warning("a GPU's description can't be read", extra={"path": str(folder), "error": str(error)})
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("Model:")), "")
