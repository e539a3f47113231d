"""What is decoded once and mapped from then on: every later epoch is as fast as arrays in memory."""

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 8 << 30
"""Of one column; more is decoded as it is read."""
_SPARE_BYTES = 1 << 30
_AHEAD = 4
"""Examples for each thread that wait for their turn."""


def fits(path: Path, nbytes: int) -> bool:
    """Whether there is room for so much, or it is there already."""
    return path.exists() or (nbytes <= MAX_BYTES and nbytes + _SPARE_BYTES <= shutil.disk_usage(path.parent).free)


def mapped(path: Path, shape: Sequence[int], dtype: Any) -> NDArray[Any]:
    """The array in `path`, read-only; a file is needed only where it would hold something."""
    if not int(np.prod(shape)):
        return np.zeros(shape, dtype)
    return np.asarray(np.memmap(path, dtype, "r", 0, tuple(shape)))


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Do it for 0 … count-1 on all cores; the first failure, in their order, is raised and ends it."""
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores, "decode") as pool:
        for start in range(0, count, cores * _AHEAD):
            waiting = [pool.submit(work, number) for number in range(start, min(count, start + cores * _AHEAD))]
            for one in waiting:
                one.result()
