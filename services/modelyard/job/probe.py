"""Prints what TensorFlow sees on this machine as one JSON line, and ends. Run by a worker before it takes jobs."""

import json
import os
from pathlib import Path
from typing import Any

import tensorflow as tf


def look() -> dict[str, Any]:
    """TensorFlow's version, the CPU, and each accelerator as [kind, index, model, memory in bytes]."""
    accelerators = [
        [kind.lower(), index, *_details(device)]
        for kind in ("GPU", "TPU")
        for index, device in enumerate(tf.config.list_physical_devices(kind))
    ]
    return {
        "tensorflow": tf.__version__,
        "cpu": _cpu_model(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "accelerators": accelerators,
    }


def _details(device: Any) -> tuple[str, int]:
    details = tf.config.experimental.get_device_details(device)
    return str(details.get("device_name", "")), int(details.get("memory_limit", 0))


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), os.uname().machine)


if __name__ == "__main__":
    print(json.dumps(look()))
