"""The NVIDIA driver's own list of GPUs, and their nodes in /dev."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

DRIVER = Path("/proc/driver/nvidia/gpus")
DEV = Path("/dev")
_SHARED = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
"""Every CUDA process opens them."""
_ONE = re.compile(r"nvidia\d+")


@dataclass(frozen=True, slots=True)
class Gpu:
    """As the driver describes it, in the order of its bus, which is the order of nvidia-smi."""

    index: int
    model: str = ""
    uuid: str = ""
    minor: int | None = None
    """Its node is /dev/nvidia{minor}."""


def gpus(driver: Path = DRIVER) -> list[Gpu]:
    """What the driver lists; nothing where there is no driver."""
    if not driver.is_dir():
        return []
    return [_gpu(index, folder) for index, folder in enumerate(sorted(driver.iterdir()))]


def nodes(names: Sequence[str], driver: Path = DRIVER, dev: Path = DEV) -> tuple[Path, ...]:
    """The nodes that a process needs for these GPUs, named by index or by UUID; those of other GPUs are left out."""
    known = gpus(driver)
    own = list(_own(names, known, dev))
    shared = [dev / name for name in _SHARED]
    capabilities = dev / "nvidia-caps"
    return tuple(path for path in (*own, *shared, capabilities) if path.exists())


def _own(names: Sequence[str], known: Sequence[Gpu], dev: Path) -> Iterator[Path]:
    for name in names:
        match = next((gpu for gpu in known if name in (str(gpu.index), gpu.uuid)), None)
        if match is None or match.minor is None:
            # A part of a GPU (MIG), or a container whose driver folder is masked: its nodes are what it may use.
            yield from sorted(path for path in dev.glob("nvidia*") if _ONE.fullmatch(path.name))
            return
        yield dev / f"nvidia{match.minor}"


def _gpu(index: int, folder: Path) -> Gpu:
    try:
        lines = (folder / "information").read_text().splitlines()
    except OSError as error:
        log.warning("a GPU's description can't be read", extra={"path": str(folder), "error": str(error)})
        return Gpu(index)
    said = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    minor = said.get("Device Minor", "")
    return Gpu(index, said.get("Model", ""), said.get("GPU UUID", ""), int(minor) if minor.isdigit() else None)
