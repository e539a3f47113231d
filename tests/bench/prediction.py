"""What a prediction of a whole dataset costs: `python -m tests.bench prediction`.

The job's own program without an installation, against a plain script that loads the same model, asks it about the same
70,000 digits in the same batches and writes the same lines. Each in a process of its own; loading the model counts.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.sdk import gallery
from tests.bench.rows import Row, at_least_times
from tests.support.stack import plain_environment

PAIRS = 5
BATCH = 256
SPLITS = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}


def measure() -> list[Row]:
    """Rows a second."""
    with tempfile.TemporaryDirectory(prefix="bench-prediction-") as name:
        _run("prepare", name)
        jobs: list[float] = []
        scripts: list[float] = []
        for pair in range(PAIRS):
            for way, rates in ((("job", jobs), ("script", scripts)), (("script", scripts), ("job", jobs)))[pair % 2]:
                rates.append(_run(way, name)["rows_per_s"])
            print(f"  job {jobs[-1]:,.0f} rows/s, plain script {scripts[-1]:,.0f}", flush=True)
    return [
        Row(f"rows/s of a prediction, batch {BATCH}", jobs, "/s", scripts, "a plain script", at_least_times(0.9)),
    ]


def _run(way: str, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.prediction", way, folder]
    done = subprocess.run(command, env=plain_environment(), capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"{way} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def prepare(folder: Path) -> dict[str, Any]:
    """dataset/ as a worker prepares it, model/ as the template image-classification makes it, but not trained."""
    import keras

    from modelyard.job.trial import prepare_dataset

    files = {path.name: path.read_bytes() for path in gallery.find("mnist").fetch().iterdir() if path.is_file()}
    prepare_dataset(folder / "dataset", files)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1), dtype="uint8", name="image"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax", name="probabilities"),
        ]
    )
    archive = keras.export.ExportArchive()
    archive.track(model)
    specs = [keras.InputSpec(shape=(None, 28, 28, 1), dtype="uint8", name="image")]
    archive.add_endpoint("serving_default", lambda image: {"probabilities": model(image)}, specs)
    archive.write_out(str(folder / "model"), verbose=False)
    (folder / "model/modelyard.model.json").write_text(json.dumps({"classes": [str(n) for n in range(10)]}))
    return {}


def job(folder: Path) -> dict[str, Any]:
    """The template, as its job runs it."""
    from modelyard.job import code, running
    from modelyard.job.channel import SilentChannel
    from modelyard.job.messages import JobSpec
    from modelyard.job.session import Context
    from modelyard.templates.specs import SHIPPED, get_template

    with tempfile.TemporaryDirectory(dir=folder) as work:
        spec = JobSpec(
            "projects/p/jobs/j",
            1,
            str(SHIPPED / "predict"),
            "predict:main",
            -1,
            get_template("predict").complete({"batch_size": BATCH}),
            kind="prediction",
            dataset=str(folder / "dataset"),
            input_model=str(folder / "model"),
        )
        running.begin(Context(spec, Path(work), SilentChannel()))
        began = time.perf_counter()
        code.run(SHIPPED / "predict", "predict:main")
        seconds = time.perf_counter() - began
        return {"rows_per_s": _lines(Path(work) / "outputs/prediction") / seconds}


def script(folder: Path) -> dict[str, Any]:
    """What anybody would write."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory(dir=folder) as work:
        began = time.perf_counter()
        ask = tf.saved_model.load(str(folder / "model")).signatures["serving_default"]
        with (Path(work) / "answers.jsonl").open("w") as out:
            for split, name, start, images in _batches():
                answers = ask(image=tf.constant(images))["probabilities"].numpy()
                best = answers.argmax(1).tolist()
                for row, (values, label) in enumerate(zip(answers.tolist(), best, strict=True)):
                    line = {
                        "split": split,
                        "origin": f"{name}:{start + row + 1}",
                        "label": str(label),
                        "probability": values[label],
                        "probabilities": values,
                        "error": None,
                    }
                    out.write(json.dumps(line) + "\n")
        seconds = time.perf_counter() - began
        return {"rows_per_s": _lines(Path(work)) / seconds}


def _batches() -> Iterator[tuple[str, str, int, Any]]:
    for split, name in SPLITS.items():
        images = np.frombuffer((gallery.find("mnist").fetch() / name).read_bytes(), np.uint8, offset=16)
        images = images.reshape(-1, 28, 28, 1)
        for start in range(0, len(images), BATCH):
            yield split, name, start, images[start : start + BATCH]


def _lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*.jsonl"))


if __name__ == "__main__":
    found = {"prepare": prepare, "job": job, "script": script}[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps(found))
