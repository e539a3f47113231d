"""What it costs to count what is in a dataset: `python -m tests.bench profile`.

The program of a profile job on a prepared dataset, against a plain script that goes through the same once and does
nothing but decode it; each is a process of its own, and its start counts. What preparing costs is printed beside it:
training needs that too, and it is done once. Memory is the most that the program had, with ten times as much data
against once.
"""

import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from modelyard.job.index import INDEX_FILE
from modelyard.job.messages import JobSpec
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Options
from modelyard.sdk import gallery
from tests.bench.rows import Row, at_least_times, at_most_times
from tests.support.stack import plain_environment

COUNT = 100_000
TIMES = 10
LONG_PAIRS = 3
HALF, FLAT = 0.5, 1.2


def measure(pairs: int, count: int = COUNT) -> list[Row]:
    """Examples a second, and MB."""
    rows = []
    for kind, what, prepare in (("images", "28 × 28 PNG images", _images), ("table", "rows of 7 columns", _table)):
        with tempfile.TemporaryDirectory(prefix="bench-profile-") as name:
            small, large = Path(name, "small"), Path(name, "large")
            began = time.perf_counter()
            prepare(small, count)
            prepared_s = time.perf_counter() - began
            once = _rates(kind, small, count, pairs if kind == "table" else LONG_PAIRS)
            if kind == "images":
                _repeat(small, large, TIMES)
                ten = _rates(kind, large, count * TIMES, 1)
            else:
                prepare(large, count * TIMES)
                ten = _rates(kind, large, count * TIMES, LONG_PAIRS)
        for found, size in ((once, count), (ten, count * TIMES)):
            promise = at_least_times(HALF) if found is once else None
            rows.append(
                Row(
                    f"profile of {size:,} {what}",
                    found["profile"],
                    "/s",
                    found["plain"],
                    "a script that decodes",
                    promise,
                    {"cpu_s": found["cpu_s"]} | ({"prepared_s": prepared_s} if found is once else {}),
                )
            )
        many = min(len(once["memory"]), len(ten["memory"]))
        rows.append(
            Row(
                f"its memory, {TIMES} times as many",
                ten["memory"][:many],
                "MB",
                once["memory"][:many],
                f"{count:,}",
                at_most_times(FLAT),
            )
        )
    return rows


def _rates(kind: str, folder: Path, count: int, pairs: int) -> dict[str, Any]:
    found: dict[str, Any] = {"profile": [], "plain": [], "memory": [], "cpu_s": {}}
    source = folder / "dataset" if kind == "images" else folder / "table.csv"
    for pair in range(pairs):
        ways: tuple[tuple[str, str, Callable[[], Path]], ...] = (
            ("plain", kind, lambda: source),
            ("profile", "profile", lambda: _job(folder)),
        )
        for way, mode, path in ways if pair % 2 == 0 else reversed(ways):
            seconds, used = _run(mode, path())
            found[way].append(count / seconds)
            found["cpu_s"][way] = used["cpu_s"]
            if way == "profile":
                found["memory"].append(used["memory_mb"])
    print(f"  {count:,} of {kind}: {found}", flush=True)
    return found


def _run(mode: str, path: Path) -> tuple[float, dict[str, float]]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.profile_measured", mode, str(path)],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{mode} ended with {done.returncode}:\n{done.stderr}")
    used: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return seconds, used


def _job(folder: Path) -> Path:
    """A new one's job.json."""
    work = Path(tempfile.mkdtemp(prefix="work-", dir=folder))
    spec = JobSpec(
        job="projects/p/jobs/j",
        attempt=1,
        code="",
        entry="",
        fd=-1,
        kind="profile",
        dataset=str(folder / "dataset"),
        dataset_version="projects/p/datasets/d/versions/1",
    )
    (work / "job.json").write_text(spec.to_json())
    return work / "job.json"


def _images(folder: Path, count: int) -> None:
    """Digits, no two of them the same, in ten folders."""
    raw = np.fromfile(gallery.find("mnist").fetch() / "train-images-idx3-ubyte", np.uint8, offset=16)
    digits = raw.reshape(-1, 28, 28)
    files = {}
    for number in range(count):
        image = digits[number % len(digits)].copy()
        image[0, :3] = number % 251, number // 251 % 251, number // 63_001
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        files[f"train/{number % 10}/{number:06}.png"] = file.getvalue()
    prepare_dataset(folder / "dataset", files)


def _repeat(small: Path, large: Path, times: int) -> None:
    """The same dataset with each example so many times; the files are the same ones."""
    source, target = small / "dataset", large / "dataset"
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(there, np.concatenate([np.load(path)] * times))
        elif path.parent.name == "origins":
            there.write_bytes(path.read_bytes() * times)
        elif path.is_file() and path.name != INDEX_FILE:
            there.symlink_to(path)
    index = json.loads((source / INDEX_FILE).read_text())
    index["splits"] = {split: count * times for split, count in index["splits"].items()}
    (target / INDEX_FILE).write_text(json.dumps(index))


def _table(folder: Path, count: int) -> None:
    """Four columns of numbers, two of categories and an answer."""
    draw = random.Random(0)
    lines = ["age,income,hours,score,job,city,answer"]
    for _ in range(count):
        numbers = f"{draw.randint(17, 90)},{draw.gauss(3e4, 1e4):.2f},{draw.randint(1, 99)},{draw.random():.4f}"
        lines.append(
            f"{numbers},{draw.choice('abcdefghij')}job,city{draw.randint(0, 400)},{draw.choice(('yes', 'no'))}"
        )
    folder.mkdir()
    data = ("\n".join(lines) + "\n").encode()
    (folder / "table.csv").write_bytes(data)
    prepare_dataset(folder / "dataset", {"train.csv": data}, options=Options(target="answer"))
