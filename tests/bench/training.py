"""What a job costs a training step: `python -m tests.bench steps`.

One epoch of the template on MNIST in an installation that is up and has nothing else to do, against the same `fit` in a
plain script beside it. Steps are counted in a window after tracing: the script's by its own clock; the job's as anybody
sees them who watches it, by a line through (time, step), so that when a report arrives does not matter.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.sdk import Client, gallery
from modelyard.sdk.jobs import ENDED
from tests.bench.embedded import EMBEDDED
from tests.bench.rows import Row, at_least_times
from tests.support.stack import plain_environment, running_stack

PAIRS = 7
FIRST, LAST = 300, 1800
FEWEST_REPORTS = 10


def measure() -> list[Row]:
    """Steps a second."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-steps-") as name,
        running_stack(Path(name), environment=EMBEDDED) as stack,
        Client(stack.address, token=stack.token) as client,
    ):
        version = gallery.find("mnist").bring(client).version
        jobs: list[float] = []
        scripts: list[float] = []

        def job() -> None:
            jobs.append(steps_per_s(client, version))

        def script() -> None:
            scripts.append(plain("steps", str(FIRST), str(LAST))["steps_per_s"])

        for pair in range(PAIRS):
            # Whoever is second finds the machine warmer, so they take turns.
            for measure_one in (script, job) if pair % 2 == 0 else (job, script):
                measure_one()
            print(f"  job {jobs[-1]:.1f} steps/s, plain script {scripts[-1]:.1f}", flush=True)
    return [Row("steps/s of a job, batch 32", jobs, "/s", scripts, "the same fit, plain", at_least_times(0.95))]


def plain(*arguments: str) -> dict[str, Any]:
    """What the plain script prints."""
    return plain_script("tests.bench.plain", *arguments)


def plain_script(module: str, *arguments: str) -> dict[str, Any]:
    """What this module prints, run as a program."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the plain script ended with {done.returncode}:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def steps_per_s(client: Client, version: str) -> float:
    """Of a new job, which is called off when the window is over."""
    job = client.jobs.create("image-classification", version, parameters={"epochs": 1})
    return watched(client, job.name, FIRST, LAST)


def watched(client: Client, name: str, first: int, last: int, *, fewest: int = FEWEST_REPORTS) -> float:
    """Steps a second of a job between these steps, by at least so many reports; then it is called off."""
    seen: list[tuple[float, int]] = []
    try:
        for job in client.jobs.watch(name):
            step = job.progress.step
            if first <= step <= last and (not seen or step > seen[-1][1]):
                seen.append((time.perf_counter(), step))
            if step >= last:
                break
            if job.state in ENDED:
                raise RuntimeError(f"{name} has ended at step {step}: {job.error.message}")
    finally:
        _call_off(client, name)
    if len(seen) < fewest:
        raise RuntimeError(f"{name} said only {len(seen)} times where it is")
    times, steps = np.array(seen).T
    return float(np.polyfit(times - times[0], steps, 1)[0])


def _call_off(client: Client, name: str) -> None:
    if client.jobs.get(name).state not in ENDED:
        client.jobs.cancel(name)
    *_, job = client.jobs.watch(name)
    assert job.state in ENDED
