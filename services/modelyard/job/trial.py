"""A package tried out on made-up pictures, in a process beside this one: what a package's own test runs."""

import hashlib
import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.description import DESCRIPTION_FILE, parse_description
from modelyard.job.examples import build_index, pack_path
from modelyard.tree import File, plan_packs

DESCRIPTION = "modelyard.model.json"
TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it."""

    status: int
    """0 = the package has left a model."""
    printed: str
    model: Path
    outputs: Path

    @property
    def metrics(self) -> dict[str, float]:
        """Those that are kept with the model; raises OSError where there is none."""
        found: dict[str, float] = json.loads((self.model / DESCRIPTION).read_text())["metrics"]
        return found


def try_package(
    code: Path,
    folder: Path,
    *,
    entry: str = "",
    shape: tuple[int, int, int] = (28, 28, 1),
    classes: int = 4,
    examples: int = 320,
    **parameters: Any,
) -> Trial:
    """Run the package `code` in `folder` on `examples` pictures that a small network learns in a few epochs.

    `parameters` are what `--set` gives; those that are left out have the defaults of template.toml, which also
    names the entry unless `entry` does.
    """
    make_dataset(folder / "dataset", shape, classes, examples)
    output = folder / "run"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "modelyard.job.local"),
            *("--code", str(code), "--entry", entry),
            *("--dataset", str(folder / "dataset"), "--output", str(output)),
            *(part for name, value in parameters.items() for part in ("--set", f"{name}={value}")),
        ],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Trial(done.returncode, done.stdout, output / "model", output / "outputs")


def make_dataset(folder: Path, shape: tuple[int, int, int], classes: int, examples: int) -> None:
    """A prepared dataset: class k has a bright bar in the k-th band of rows. A quarter is held out as `test`."""
    held_out = examples // 4
    files: dict[str, bytes] = {}
    splits: dict[str, Any] = {}
    for number, (split, count) in enumerate({"train": examples - held_out, "test": held_out}.items()):
        pictures, labels = _pictures(count, shape, classes, seed=number)
        splits[split] = {"examples": count, "images": f"{split}-images", "labels": f"{split}-labels"}
        files[f"{split}-images"] = _idx(pictures[..., 0] if shape[2] == 1 else pictures)
        files[f"{split}-labels"] = _idx(labels)
    description = {
        "format": 1,
        "layout": "idx",
        "modality": "image",
        "features": {
            "image": {"dtype": "uint8", "shape": list(shape), "encoding": "raw"},
            "label": {"dtype": "int64", "classes": [str(number) for number in range(classes)]},
        },
        "splits": splits,
    }
    files[DESCRIPTION_FILE] = json.dumps(description).encode()
    plan = plan_packs(File(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items())
    (folder / "packs").mkdir(parents=True)
    for pack in plan.packs:
        pack_path(folder, pack.pack).write_bytes(b"".join(files[entry.path] for entry in pack.files))
    build_index(parse_description(files[DESCRIPTION_FILE]), plan.entries, folder)


def _pictures(
    count: int, shape: tuple[int, int, int], classes: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % classes).astype(np.uint8)
    random.shuffle(labels)
    pictures = random.integers(0, 60, (count, *shape)).astype(np.uint8)
    band = max(1, shape[0] // classes)
    for picture, label in zip(pictures, labels, strict=True):
        picture[label * band : label * band + max(1, band // 2)] += 150
    return pictures, labels


def _idx(values: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()
