"""`kill -9` of a worker in the middle of an epoch: the next attempt goes on where the last checkpoint is."""

from collections.abc import Iterator

import pytest

from modelyard.sdk import Client
from modelyard.sdk.jobs import State
from tests.support.stack import Stack, running_stack, write_digits

pytestmark = pytest.mark.timeout(400)
IMAGES = 1500


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("fault"), environment={"PATH": "/usr/bin:/bin"}) as stack:
        write_digits(stack.home / "digits", IMAGES)
        stack.run("datasets", "push", "digits", "digits")
        yield stack


def test_the_next_attempt_goes_on_from_the_last_checkpoint(stack: Stack) -> None:
    with Client(stack.address, token=stack.token) as client:
        parameters = {"epochs": 60, "batch_size": 16, "checkpoint_every_s": 1}
        job = client.jobs.create("image-classification", "digits", parameters=parameters)
        killed_at = 0
        name = job.name
        for job in client.jobs.watch(name):
            if job.progress.checkpoint_step and job.progress.step > job.progress.checkpoint_step + 5:
                killed_at = job.progress.checkpoint_step
                stack.kill("modelyard.trainer")
                break
        assert killed_at
        for job in client.jobs.watch(name):
            if job.attempt == 2 and job.state == State.STATE_RUNNING and job.progress.stage == "training":
                break
        second, first = list(client.jobs.attempts(name))
        assert second.start_step >= killed_at
        client.jobs.cancel(name)
        *_, job = client.jobs.watch(name)
    assert job.state == State.STATE_CANCELLED
    assert first.name.endswith("/attempts/1")


def test_no_training_process_outlives_its_worker(stack: Stack) -> None:
    assert stack.pids("modelyard.job") == []
