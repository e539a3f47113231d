"""`kill -9` of a worker in the middle of an epoch: the next attempt goes on where the last checkpoint is."""

import pytest

from modelyard.sdk import Client
from modelyard.sdk.jobs import State
from tests.fault.conftest import wait_until_saved
from tests.support.stack import Stack, until

pytestmark = pytest.mark.timeout(180)


def test_the_next_attempt_goes_on_from_the_last_checkpoint(stack: Stack, client: Client) -> None:
    parameters = {"epochs": 1000, "batch_size": 16, "checkpoint_every_s": 1}
    name = client.jobs.create("image-classification", "digits", parameters=parameters).name
    killed_at = wait_until_saved(client, name).progress.checkpoint_step
    (trainer,) = stack.pids("modelyard.trainer")
    (training,) = stack.pids("modelyard.job")
    stack.kill("modelyard.trainer")
    until(lambda: not {trainer, training} & set(stack.processes()))
    for job in client.jobs.watch(name):
        if job.attempt == 2 and job.state == State.STATE_RUNNING:
            break
    second, first = list(client.jobs.attempts(name))
    assert first.name.endswith("/attempts/1")
    assert second.start_step >= killed_at
    client.jobs.cancel(name)
    *_, job = client.jobs.watch(name)
    assert job.state == State.STATE_CANCELLED
    until(lambda: not stack.pids("modelyard.job"))
