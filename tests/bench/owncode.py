"""What it costs to run code of one's own as a job: `python -m tests.bench owncode`.

steps/s          of the founding script in a job, against the same file run by plain python on the same arrays, where
                 `modelyard.job` is a few lines that load them (`plain_context.py`); in a window after tracing
requirements     from the call that creates a job until its code has raised, with a requirements.txt that an earlier
                 job has installed, against the same package without one
a wrong label    from the call that creates a job on a worker that has just started, with nothing in its cache,
                 until the job is FAILED for it, against a bare import of TensorFlow
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.sdk import Client, gallery
from modelyard.sdk.jobs import ENDED
from tests.bench.embedded import EMBEDDED
from tests.bench.rows import Row, at_least_times, at_most_times
from tests.bench.training import watched
from tests.support.stack import plain_environment, running_stack

FOUNDING = Path(__file__).parents[2] / "deploy/examples/founding_script.py"
FIRST, LAST = 300, 1800
COLD_PAIRS = 3
"""Each starts an installation of its own."""

_ENDS = 'raise RuntimeError("that is all")\n'
_REQUIREMENTS = "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n"
_LABELS = ("x_train = x_train / 255.0\n", "x_train = x_train / 255.0\ny_train = y_train[:, None].repeat(10, 1)\n")
"""What the founding script says, and the same with ten labels an example."""


def measure(pairs: int) -> list[Row]:
    """All three."""
    with tempfile.TemporaryDirectory(prefix="bench-owncode-") as name:
        folder = Path(name)
        with (
            running_stack(folder / "home", environment=EMBEDDED) as stack,
            Client(stack.address, token=stack.token) as client,
        ):
            version = gallery.find("mnist").bring(client).version
            rows = [_steps(client, version, folder, pairs), _requirements(client, version, folder, pairs)]
        return [*rows, _wrong_label(folder)]


def _steps(client: Client, version: str, folder: Path, pairs: int) -> Row:
    package = client.packages.push("founding", FOUNDING).version
    prepare_plain(folder / "plain")

    def job() -> float:
        return watched(client, client.jobs.create(package=package, dataset=version).name, FIRST, LAST)

    jobs, scripts = interleaved(pairs, job, lambda: plain(folder / "plain"))
    return Row(
        "steps/s of the founding script", jobs, "/s", scripts, "the same file, plain python", at_least_times(0.95)
    )


def _requirements(client: Client, version: str, folder: Path, pairs: int) -> Row:
    packages = {}
    for name, requirements in (("bare", ""), ("required", _REQUIREMENTS)):
        (folder / name).mkdir()
        (folder / name / "train.py").write_text(_ENDS)
        if requirements:
            (folder / name / "requirements.txt").write_text(requirements)
        packages[name] = client.packages.push(name, folder / name).version
        # The first job brings everything into the worker's caches, the installed requirements too.
        until_raised(client, packages[name], version, "that is all")

    def seconds(name: str) -> Callable[[], float]:
        return lambda: until_raised(client, packages[name], version, "that is all")

    with_them, without = interleaved(pairs, seconds("required"), seconds("bare"))
    return Row("job with cached requirements", with_them, "s", without, "without any", at_most_times(1.0, 1.0, " s"))


def _wrong_label(folder: Path) -> Row:
    script = folder / "train.py"
    script.write_text(FOUNDING.read_text().replace(*_LABELS))
    reported: list[float] = []
    imported: list[float] = []
    for pair in range(COLD_PAIRS):
        imported.append(import_tensorflow())
        with (
            running_stack(folder / f"cold{pair}", environment=EMBEDDED) as stack,
            Client(stack.address, token=stack.token) as client,
        ):
            version = gallery.find("mnist").bring(client).version
            package = client.packages.push("wrong", script).version
            reported.append(until_raised(client, package, version, "label"))
        shutil.rmtree(folder / f"cold{pair}")
        print(f"  wrong label after {reported[-1]:.1f} s, import of TensorFlow {imported[-1]:.1f} s", flush=True)
    target = at_most_times(1.5, 5.0, " s")
    return Row("wrong label shape, until it is said", reported, "s", imported, "bare TensorFlow import", target)


def interleaved(
    pairs: int,
    ours: Callable[[], float],
    floor: Callable[[], float],
    decided: Callable[[list[float], list[float]], bool] = lambda ours, floor: False,
) -> tuple[list[float], list[float]]:
    """Whoever is second finds the machine warmer, so they take turns. `decided` says of what was measured so far that
    more pairs would change nothing."""
    measured: dict[Callable[[], float], list[float]] = {ours: [], floor: []}
    for pair in range(pairs):
        for one in (floor, ours) if pair % 2 == 0 else (ours, floor):
            measured[one].append(one())
        print(f"  {measured[ours][-1]:.2f} against {measured[floor][-1]:.2f}", flush=True)
        if decided(measured[ours], measured[floor]):
            break
    return measured[ours], measured[floor]


def until_raised(client: Client, package: str, dataset: str, says: str) -> float:
    """Seconds from the call until the job is FAILED, with these words in its message."""
    began = time.perf_counter()
    name = client.jobs.create(package=package, dataset=dataset).name
    for job in client.jobs.watch(name):
        if job.state in ENDED:
            break
    took = time.perf_counter() - began
    if job.state != job_pb2.Job.STATE_FAILED or says not in job.error.message:
        raise RuntimeError(f"{name} ended otherwise: {job_pb2.Job.State.Name(job.state)}: {job.error.message}")
    return took


def prepare_plain(folder: Path) -> None:
    """The arrays, and a `modelyard.job` that hides the real one from who has the folder on its path."""
    (folder / "modelyard").mkdir(parents=True)
    (folder / "modelyard/__init__.py").touch()
    shutil.copy(Path(__file__).with_name("plain_context.py"), folder / "modelyard/job.py")
    cached = gallery.find("mnist").fetch()
    images = np.fromfile(cached / "train-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28, 1)
    labels = np.fromfile(cached / "train-labels-idx1-ubyte", np.uint8, offset=8).astype(np.int64)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)


def plain(folder: Path) -> float:
    """Steps a second of the founding script, run by python."""
    answer = folder / "answer.json"
    answer.unlink(missing_ok=True)
    window = {"BENCH_FIRST": str(FIRST), "BENCH_LAST": str(LAST), "BENCH_DATA": str(folder)}
    done = subprocess.run(
        [sys.executable, str(FOUNDING)],
        env=plain_environment() | window | {"PYTHONPATH": str(folder), "BENCH_ANSWER": str(answer)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not answer.exists():
        raise RuntimeError(f"the founding script ended with {done.returncode}:\n{done.stderr}")
    return float(json.loads(answer.read_text())["steps_per_s"])


def import_tensorflow() -> float:
    """Seconds of a process that does nothing else."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import tensorflow"], env=plain_environment(), check=True, capture_output=True
    )
    return time.perf_counter() - began
