"""What it costs to push a folder of many small files: `python -m tests.bench push`.

All 70,000 images of MNIST as PNG files, pushed with the command line to an installation on the embedded store, against
`tar` of the folder to the same disk. The page cache holds the files for both, and what is to be written from before is
written before either begins.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from modelyard.sdk import gallery
from tests.bench.embedded import EMBEDDED
from tests.bench.rows import Row, at_most, at_most_times
from tests.support.stack import running_stack

PAIRS = 3


def measure() -> list[Row]:
    """Seconds of a push, and what a push of the unchanged folder sends."""
    with tempfile.TemporaryDirectory(prefix="bench-push-") as name:
        home = Path(name)
        folder = home / "images"
        count = write_images(folder)
        pushes: list[float] = []
        tars: list[float] = []
        with running_stack(home / "stack", environment=EMBEDDED) as stack:
            for pair in range(PAIRS):
                tars.append(tar(folder, home / "images.tar"))
                os.sync()
                began = time.perf_counter()
                pushed = stack.json("datasets", "push", f"digits-{pair}", str(folder))
                pushes.append(time.perf_counter() - began)
                print(f"  push {pushes[-1]:.1f} s, {pushed['sent_bytes']:,} bytes; tar {tars[-1]:.1f} s", flush=True)
            began = time.perf_counter()
            again = stack.json("datasets", "push", f"digits-{PAIRS - 1}", str(folder))
            unchanged_s = time.perf_counter() - began
    return [
        Row(f"push of {count:,} PNG files", pushes, "s", tars, "tar, same disk", at_most_times(3, 10, " s")),
        Row(
            "content sent by a push of the same",
            [again["sent_bytes"]],
            "B",
            target=at_most(0, " B"),
            notes={"seconds": unchanged_s, "unchanged": again["unchanged"]},
        ),
    ]


def write_images(folder: Path) -> int:
    """split/class/number.png; how many."""
    cached = gallery.find("mnist").fetch()
    total = 0
    for split, prefix in (("train", "train"), ("test", "t10k")):
        labels = np.frombuffer((cached / f"{prefix}-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
        images = np.frombuffer((cached / f"{prefix}-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
        for label in range(10):
            (folder / split / str(label)).mkdir(parents=True)
        for number, image in enumerate(images.reshape(-1, 28, 28)):
            Image.fromarray(image).save(folder / split / str(labels[number]) / f"{number:05}.png")
        total += len(labels)
    return total


def tar(folder: Path, target: Path) -> float:
    """Seconds."""
    os.sync()
    began = time.perf_counter()
    subprocess.run(["tar", "cf", target, "-C", folder, "."], check=True)
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds
