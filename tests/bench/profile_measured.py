"""One pass over a dataset, in a process of its own: `python -m tests.bench.profile_measured WAY PATH`.

profile JOB.json   the program of a profile job
images DATASET     a plain script: every image of the prepared dataset is read and decoded
table FILE.csv     a plain script: every row is split, and its numbers become numbers

The last line that it prints is {"cpu_s", "memory_mb"}, of the process from its start on.
"""

import csv
import io
import json
import resource
import sys
from pathlib import Path

NUMBERS = 4
"""The first columns of the table."""


def profile(job: str) -> None:
    from modelyard.templates.profile.__main__ import main

    if main(Path(job)):
        raise SystemExit("the profile failed")


def images(dataset: str) -> None:
    import numpy as np
    from PIL import Image

    folder = Path(dataset)
    files = json.loads((folder / "index.json").read_text())["files"]
    opened = [(folder / name).open("rb") for name in files]
    for offset, size, number in np.load(folder / "columns/train/image.npy", mmap_mode="r"):
        opened[number].seek(offset)
        with Image.open(io.BytesIO(opened[number].read(size))) as image:
            np.asarray(image)


def table(path: str) -> None:
    with Path(path).open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            [float(value) for value in row[:NUMBERS]]


WAYS = {"profile": profile, "images": images, "table": table}


def _peak_mb() -> float:
    """What ru_maxrss would say, but of this program alone: that begins with what its parent had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return peak / 1024


if __name__ == "__main__":
    WAYS[sys.argv[1]](sys.argv[2])
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "memory_mb": _peak_mb()}))
