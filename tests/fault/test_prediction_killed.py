"""`kill -9` of a worker in the middle of a prediction: the answers are those of one that nobody has killed."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.sdk import Client
from modelyard.sdk.jobs import State
from tests.fault.conftest import IMAGES
from tests.support.stack import Stack, until

pytestmark = pytest.mark.timeout(450)
"""The first test of the package waits for its installation, too."""

SLOW = {"batch_size": 1, "part_rows": 50, "checkpoint_every_s": 1e-6}


def ended(client: Client, name: str) -> job_pb2.Job:
    *_, job = client.jobs.watch(name)
    assert job.state == State.STATE_SUCCEEDED, job
    return job


def test_the_next_attempt_goes_on_at_a_part_and_makes_the_same_bytes(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    model = client.deployments.get("digits").serving_version
    create: dict[str, Any] = {"model_version": model, "parameters": SLOW}
    name = client.jobs.create("predict", "digits", output_dataset="killed", **create).name
    for job in client.jobs.watch(name):
        if job.progress.checkpoint_step:
            break
    (predicting,) = stack.pids("modelyard.job")
    os.kill(predicting, signal.SIGSTOP)  # it gets no further, however long the rest takes
    saved = client.jobs.get(name)
    assert saved.state == State.STATE_RUNNING
    stack.kill("modelyard.trainer")
    until(lambda: predicting not in stack.processes())
    whole = client.jobs.create("predict", "digits", output_dataset="whole", **create).name
    job = ended(client, name)
    second, first = client.jobs.attempts(name)
    assert (first.state, job.attempt) == (job_pb2.Attempt.STATE_LOST, 2)
    assert saved.progress.checkpoint_step <= second.start_step < IMAGES
    assert second.start_step % SLOW["part_rows"] == 0

    digests = [client.datasets.version(ended(client, each).output_dataset_version).digest for each in (name, whole)]
    assert digests[0] == digests[1]
    client.datasets.pull("killed", tmp_path / "killed")
    lines = [line for path in sorted((tmp_path / "killed").glob("*.jsonl")) for line in path.read_text().splitlines()]
    assert len(lines) == len(set(lines)) == IMAGES
