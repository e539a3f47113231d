"""`kill -9` of every process, one after the other, while a job trains and predictions flow."""

import time

import pytest

from modelyard.sdk import Client
from modelyard.sdk.jobs import State
from tests.fault.conftest import Asker, wait_until_saved
from tests.support.stack import Stack, until

pytestmark = pytest.mark.timeout(600)

BESIDE = ("modelyard.scheduler", "modelyard.catalog", "weed", "modelyard.inference")
"""Predictions do not pass through them."""
ON_THE_WAY = {"modelyard.proxy": 45.0, "modelyard.modelhost": 150.0}
"""How long predictions may be away: a model server takes ten seconds to load TensorFlow, more on a busy machine."""


def test_the_job_succeeds_once_and_predictions_come_back(stack: Stack, client: Client, asker: Asker) -> None:
    parameters = {"epochs": 40, "batch_size": 16, "checkpoint_every_s": 2}
    name = client.jobs.create("image-classification", "digits", parameters=parameters, model="killed").name
    wait_until_saved(client, name)
    for program in BESIDE:
        killed_at = time.monotonic()
        kill(stack, program)
        asker.wait_for_answer(time.monotonic(), 15)
        assert asker.failures_since(killed_at) == [], program
    for program, bound_s in ON_THE_WAY.items():
        killed_at = time.monotonic()
        kill(stack, program)
        asker.wait_for_answer(time.monotonic(), bound_s)
        away_s = asker.away_since(killed_at)
        print(f"{program}: {len(asker.failures_since(killed_at))} failed predictions within {away_s:.1f} s")
        assert away_s < bound_s
    *_, job = client.jobs.watch(name)
    assert job.state == State.STATE_SUCCEEDED, job
    assert job.attempt == 1, "nothing that was killed ran the job"
    assert [version.name for version in client.models.versions("killed")] == [job.model_version]


def kill(stack: Stack, program: str) -> None:
    """SIGKILL, and wait until the supervisor has put another one into its place."""
    (before,) = stack.pids(program)
    stack.kill(program)
    until(lambda: before not in stack.pids(program) and is_healthy(stack), timeout_s=60)


def is_healthy(stack: Stack) -> bool:
    return stack.run("status", status=None).returncode == 0
