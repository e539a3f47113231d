"""`kill -9` of a worker in the middle of an epoch: the next attempt goes on where the last checkpoint is, and what the
first one has drawn stays with the job."""

from pathlib import Path

import pytest

from modelyard.sdk import Client
from modelyard.sdk.jobs import State
from tests.fault.conftest import wait_until_saved
from tests.support.event_files import points
from tests.support.stack import Stack, until

pytestmark = pytest.mark.timeout(180)


def test_the_next_attempt_goes_on_from_the_last_checkpoint(stack: Stack, client: Client, tmp_path: Path) -> None:
    parameters = {"epochs": 1000, "batch_size": 16, "checkpoint_every_s": 1}
    name = client.jobs.create("image-classification", "digits", parameters=parameters).name
    two_epochs = 2 * wait_until_saved(client, name).progress.total_steps // 1000
    killed_at = wait_until_saved(client, name, beyond=two_epochs).progress.checkpoint_step
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
    for job in client.jobs.watch(name):
        if job.progress.checkpoint_step > second.start_step + 100:
            break
    client.lineage.pull_output(f"{name}/outputs/run", tmp_path / "run")
    train = tmp_path / "run" / "tensorboard" / "train"
    files = [path.name.partition(".")[0] for path in sorted(train.iterdir())]
    assert (files[0], files[-1]) == ("attempt-0001", "events")
    steps = [step for tag, step, _ in points(train) if tag == "loss"]
    epoch = steps[0]
    assert steps == list(range(epoch, epoch * (len(steps) + 1), epoch)), "each epoch once, in order"
    assert steps[0] < second.start_step < steps[-1]
    client.jobs.cancel(name)
    *_, job = client.jobs.watch(name)
    assert job.state == State.STATE_CANCELLED
    until(lambda: not stack.pids("modelyard.job"))
