"""Finds this machine's devices in a short-lived child: TensorFlow never enters the worker, and holds no GPU for it."""

import asyncio
import json
import os
import signal
import sys

from modelyard.foundation.errors import FailedPrecondition
from modelyard.foundation.sync.children import Child, Exit
from modelyard.trainer.domain import Device, Found
from modelyard.trainer.gpus import gpus

_TIMEOUT_S = 300.0


class TensorFlowUnusable(FailedPrecondition):
    """It can't be loaded at all on this machine."""

    reason = "TENSORFLOW_UNUSABLE"


async def find_devices(*, cpu_only: bool) -> Found:
    """What TensorFlow sees, and GPUs that the driver has but TensorFlow can't use. Raises TensorFlowUnusable."""
    printed: dict[str, list[str]] = {"stdout": [], "stderr": []}
    child = await Child.start(
        [sys.executable, "-m", "modelyard.job.probe"],
        environment=_environment(),
        on_line=lambda stream, line: printed[stream].append(line),
    )
    try:
        ended = await asyncio.wait_for(child.wait(), _TIMEOUT_S)
    except TimeoutError:
        raise TensorFlowUnusable(f"TensorFlow did not start within {_TIMEOUT_S:.0f} s") from None
    finally:
        if child.running:
            child.kill()
            await child.wait()
    if not ended.ok or not printed["stdout"]:
        raise TensorFlowUnusable(_why(ended, printed["stderr"]))
    seen = json.loads(printed["stdout"][-1])
    devices = [Device("cpu", 0, seen["cpu"], seen["memory_bytes"])]
    if not cpu_only:
        devices += [Device(kind, index, model, memory) for kind, index, model, memory in seen["accelerators"]]
        devices += _unusable(devices)
    return Found(tuple(devices), seen["tensorflow"])


def _environment() -> dict[str, str]:
    kept = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TPU_NAME", "LANG")
    # The driver's own order, by which its nodes in /dev are found.
    given = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return {name: os.environ[name] for name in kept if name in os.environ} | given


def _why(ended: Exit, printed: list[str]) -> str:
    last = next((line for line in reversed(printed) if line.strip()), f"it {ended} and printed nothing")
    if ended.signal is signal.SIGKILL:
        return "TensorFlow was killed while it was loading: there is too little memory (about 1 GiB is needed)"
    return f"TensorFlow can't be loaded: {last.strip()}"


def _unusable(seen: list[Device]) -> list[Device]:
    """GPUs that the NVIDIA driver lists, when TensorFlow sees none of them."""
    if any(device.kind == "gpu" for device in seen):
        return []
    problem = (
        "TensorFlow can't use this GPU: its CUDA libraries are missing or don't fit the driver; "
        "install the `gpu` extra (make … EXTRAS=gpu)"
    )
    return [Device("gpu", gpu.index, gpu.model, problem=problem) for gpu in gpus()]
