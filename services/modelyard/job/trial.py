"""A package tried out on a little data, in a process beside this one: what a package's own test runs."""

import hashlib
import io
import json
import os
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from modelyard.job.indexing import build_index
from modelyard.job.packs import PACKS_FOLDER, pack_path
from modelyard.layouts import DESCRIPTION_FILE, Description, Feature, Options, Split, SplitRule, to_bytes
from modelyard.layouts.detection import detect
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
    dataset: Path | None = None,
    shape: tuple[int, int, int] = (28, 28, 1),
    classes: int = 4,
    examples: int = 320,
    **parameters: Any,
) -> Trial:
    """Run the package `code` in `folder` on `examples` pictures that a small network learns in a few epochs, or on a
    prepared `dataset`, such as `prepare_dataset` makes.

    `parameters` are what `--set` gives; those that are left out have the defaults of template.toml, which also
    names the entry unless `entry` does.
    """
    if dataset is None:
        dataset = folder / "dataset"
        make_dataset(dataset, shape, classes, examples)
    output = folder / "run"
    done = subprocess.run(
        [sys.executable, "-m", "modelyard.job.local", *local_arguments(code, dataset, output, entry, **parameters)],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Trial(done.returncode, done.stdout, output / "model", output / "outputs")


def local_arguments(code: Path, dataset: Path, output: Path, entry: str = "", **parameters: Any) -> list[str]:
    """What `python -m modelyard.job.local` is told."""
    return [
        *("--code", str(code), "--entry", entry, "--dataset", str(dataset), "--output", str(output)),
        *(part for name, value in parameters.items() for part in ("--set", f"{name}={value}")),
    ]


def make_dataset(
    folder: Path, shape: tuple[int, int, int] = (28, 28, 1), classes: int = 4, examples: int = 320
) -> None:
    """A prepared dataset: class k has a bright bar in the k-th band of rows. A quarter is held out as `test`."""
    held_out = examples // 4
    files: dict[str, bytes] = {}
    splits = []
    for number, (split, count) in enumerate({"train": examples - held_out, "test": held_out}.items()):
        pictures, labels = _pictures(count, shape, classes, seed=number)
        splits.append(Split(split, count, (f"{split}-images", f"{split}-labels")))
        files[f"{split}-images"] = _idx(pictures[..., 0] if shape[2] == 1 else pictures)
        files[f"{split}-labels"] = _idx(labels)
    names = tuple(str(number) for number in range(classes))
    description = Description(
        modality="image",
        layout="idx",
        features=(
            Feature("image", "image", "uint8", shape, encoding="raw"),
            Feature("label", "category", "int64", role="target", classes=names),
        ),
        splits=tuple(splits),
        split_rule=SplitRule("file"),
    )
    prepare_dataset(folder, files, description)


def prepare_dataset(
    folder: Path,
    files: Mapping[str, bytes],
    description: Description | None = None,
    options: Options | None = None,
) -> None:
    """A prepared dataset in `folder`, as a worker leaves it, of files by their paths.

    prepare_dataset(folder, {"train/cat/1.png": png, …}) or {"notes.csv": b"text,label\\n…"}: how they are laid out is
    found out as `modelyard datasets push` does it, unless a description says it or is among the files.
    """
    if DESCRIPTION_FILE not in files:
        if description is None:
            description = detect({path: _Held(data) for path, data in files.items()}, options).description
        files = {**files, DESCRIPTION_FILE: to_bytes(description)}
    plan = plan_packs(File(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items())
    (folder / PACKS_FOLDER).mkdir(parents=True)
    for pack in plan.packs:
        pack_path(folder, pack.pack).write_bytes(b"".join(files[entry.path] for entry in pack.files))
    build_index(plan.entries, folder)


@dataclass(frozen=True, slots=True)
class _Held:
    """A file of a tree that is not stored yet."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


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
