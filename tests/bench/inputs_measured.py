"""One kind of data, from a prepared dataset and from a plain tf.data script, epoch by epoch in turns.

python -m tests.bench.inputs_measured SET PAIRS     prints {"ours": [examples/s, …], "plain": […], "start_ms": {…}}
"""

import csv
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from modelyard.job.allocation import keep_freed
from modelyard.job.channel import SilentChannel
from modelyard.job.messages import JobSpec
from modelyard.job.session import Context
from modelyard.job.trial import prepare_dataset
from modelyard.sdk import gallery

BATCH = 32
LEAST_S = 1.0
"""A turn has as many epochs as this takes."""
LEAST_EXAMPLES = 20_000
"""Of an epoch: smaller sets are taken several times over, or the start of an epoch is measured and not its batches."""
FORMS: dict[str, dict[str, Any]] = {
    "prompts": {"sample_rate": 8000, "seconds": 1.0},
    "motions": {"frames": 10, "image_size": 48},
}


def grown(source: Path, folder: Path) -> Path:
    """The same set with copies of its training examples: enough for an epoch."""
    if (source / "train").is_dir():
        files = sorted(path for path in (source / "train").glob("*/*") if path.is_file())
        shutil.copytree(source, folder)
        for copy in range(1, -(-LEAST_EXAMPLES // len(files))):
            for path in files:
                (folder / path.relative_to(source).with_name(f"{copy}-{path.name}")).symlink_to(path)
        return folder
    if not (source / "train.csv").is_file():
        return source
    header, *rows = (source / "train.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    if len(rows) >= LEAST_EXAMPLES:
        return source
    shutil.copytree(source, folder)
    grown_rows = rows * -(-LEAST_EXAMPLES // len(rows))
    (folder / "train.csv").write_text("".join([header, *grown_rows]), encoding="utf-8")
    return folder


def ours(name: str, source: Path, folder: Path) -> Any:
    """The split `train` as a job gets it."""
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    prepare_dataset(folder / "data", files, options=gallery.find(name).options)
    spec = JobSpec(job="j", attempt=1, code=str(folder), entry="train", fd=-1, dataset="data")
    return Context(spec, folder, SilentChannel()).dataset("train", batch_size=BATCH, **FORMS.get(name, {}))


def files_of(source: Path, decode: Callable[[Any], Any]) -> Any:
    """A folder a class."""
    paths = sorted(path for path in (source / "train").glob("*/*") if path.is_file())
    classes = sorted({path.parent.name for path in paths})
    labels = np.array([classes.index(path.parent.name) for path in paths], np.int64)
    listed = tf.data.Dataset.from_tensor_slices(([str(path) for path in paths], labels))
    return listed.map(lambda path, label: (decode(tf.io.read_file(path)), label), num_parallel_calls=tf.data.AUTOTUNE)


def png(data: Any) -> Any:
    return tf.ensure_shape(tf.io.decode_png(data, 3), (64, 64, 3))


def wav(data: Any) -> Any:
    sound = tf.audio.decode_wav(data, desired_channels=1, desired_samples=8000).audio
    return tf.ensure_shape(sound[:, 0], (8000,))


def gif(data: Any) -> Any:
    return tf.ensure_shape(tf.io.decode_gif(data), (10, 48, 48, 3))


def idx(source: Path) -> Any:
    images = np.fromfile(source / "train-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28, 1)
    labels = np.fromfile(source / "train-labels-idx1-ubyte", np.uint8, offset=8).astype(np.int64)
    return tf.data.Dataset.from_tensor_slices((images, labels))


def table(source: Path, target: str, numbers: tuple[str, ...]) -> Any:
    """Rows as (inputs by name, or the only one, target)."""
    path = source / "train.csv"
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
        place = header.index(target)
        classes = sorted({row[place] for row in csv.reader(file)})
    kinds = [tf.constant([], tf.float32 if name in numbers else tf.string) for name in header]
    index = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(classes, tf.range(len(classes), dtype=tf.int64)), -1
    )

    def named(*values: Any) -> Any:
        row = dict(zip(header, values, strict=True))
        wanted = row.pop(target)
        return (
            row if len(row) > 1 else next(iter(row.values())),
            wanted if target in numbers else index.lookup(wanted),
        )

    rows = tf.data.experimental.CsvDataset(str(path), kinds, header=True)
    return rows.map(named, num_parallel_calls=tf.data.AUTOTUNE)


PLAIN: dict[str, Callable[[Path], Any]] = {
    "emoji": lambda source: files_of(source, png),
    "mnist": idx,
    "sentiment": lambda source: table(source, "label", ()),
    "adult": lambda source: table(
        source, "salary", ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week")
    ),
    "prompts": lambda source: files_of(source, wav),
    "motions": lambda source: files_of(source, gif),
    "movielens-ratings": lambda source: table(source, "rating", ("rating", "time")),
}


def plain(name: str, source: Path) -> Any:
    """As anybody writes it: decoded, cached, shuffled whole."""
    rows = PLAIN[name](source).cache()
    count = sum(1 for _ in rows)
    return rows.shuffle(count).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def rate(batches: Any) -> float:
    """Examples a second."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < LEAST_S:
        for _, target in batches:
            count += target.shape[0]
    return count / (time.perf_counter() - began)


def start_ms(batches: Any) -> float:
    """Until the first batch of an epoch is there."""
    times = []
    for _ in range(10):
        began = time.perf_counter()
        next(iter(batches))
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def main(name: str, pairs: int) -> None:
    """First each goes through its data once, which decodes it and fills its cache. Both have a job's memory."""
    keep_freed()
    with tempfile.TemporaryDirectory(prefix="bench-inputs-") as folder:
        source = grown(gallery.find(name).fetch(), Path(folder) / "source")
        ways = {"ours": ours(name, source, Path(folder)), "plain": plain(name, source)}
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for batches in ways.values():
            rate(batches)
        for pair in range(pairs):
            for way in ways if pair % 2 == 0 else reversed(ways):
                rates[way].append(rate(ways[way]))
    print(json.dumps({**rates, "start_ms": {way: round(start_ms(batches), 1) for way, batches in ways.items()}}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
