"""A worker's process with real training: what a job ends with, and what is left of it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.scheduler.v1 import device_pb2, job_pb2
from modelyard.sdk import Client
from modelyard.sdk.errors import NotFound
from modelyard.sdk.jobs import State
from tests.integration.job.child import strokes
from tests.integration.trainer.yard import WorkerProcess, Yard, ended, running_yard, wait_for
from tests.support.background import in_background
from tests.support.seaweedfs import RunningStore
from tests.support.stack import until

pytestmark = pytest.mark.timeout(240)

TEMPLATE = "image-classification"
ENDLESS = {"epochs": 10_000, "batch_size": 8, "checkpoint_every_s": 1}
"""Until it is stopped."""
LEASE_S = 6.0
Class = job_pb2.Job.FailureClass


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, seaweedfs: RunningStore) -> Iterator[Yard]:
    s3 = seaweedfs.store.settings.model_copy(update={"bucket": "trainer"})
    with in_background(running_yard(tmp_path_factory.mktemp("yard"), s3, backoff_s=0, lease_s=LEASE_S)) as yard:
        with yard.client() as client:
            write(yard.folder / "strokes", 200)
            client.datasets.push("strokes", yard.folder / "strokes")
        yield yard


@pytest.fixture
def client(yard: Yard) -> Iterator[Client]:
    with yard.client() as client:
        yield client


@pytest.fixture(scope="module")
def worker(yard: Yard) -> Iterator[WorkerProcess]:
    with yard.worker("first") as worker:
        yield worker


def write(folder: Path, count: int) -> None:
    for number, (image, label) in enumerate(zip(*strokes(count), strict=True)):
        place = folder / f"band-{label}" / f"{number:04}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)


def training(job: job_pb2.Job) -> bool:
    return job.state == State.STATE_RUNNING and job.progress.checkpoint_step > 0


def test_a_job_ends_with_a_model_that_passed_every_gate(client: Client, worker: WorkerProcess) -> None:
    job = ended(client, client.jobs.create(TEMPLATE, "strokes", parameters={"epochs": 3}).name)
    assert job.state == State.STATE_SUCCEEDED, job
    version = client.models.version(job.model_version)
    assert version.state == model_pb2.ModelVersion.STATE_READY
    assert {"integrity", "signature", "ops", "load", "parity", "row_wise"} <= {gate.kind for gate in version.info.gates}
    assert not version.info.foreign
    assert all(gate.state == model_pb2.Gate.STATE_PASSED for gate in version.info.gates)
    assert version.info.row_wise
    assert version.info.frameworks["tensorflow"]
    assert version.info.metrics["val_accuracy"] == job.progress.metrics["val_accuracy"]
    assert job.progress.step == job.progress.total_steps
    assert worker.attempts() == []
    assert worker.jobs() == []


def test_a_file_that_is_no_image_is_left_out_and_named(yard: Yard, client: Client, worker: WorkerProcess) -> None:
    folder = yard.folder / "broken"
    write(folder, 40)
    whole = next(iter(sorted(folder.rglob("*.png"))))
    whole.write_bytes(whole.read_bytes()[:80] + bytes(40))
    client.datasets.push("broken", folder)
    job = ended(client, client.jobs.create(TEMPLATE, "broken", parameters={"epochs": 1}).name)
    assert job.state == State.STATE_SUCCEEDED, job
    said = job.progress.texts["left out of train"]
    assert f"{whole.parent.name}/{whole.name} cannot be read as an image" in said


def test_a_cancelled_job_is_gone_at_once_and_leaves_no_version(client: Client, worker: WorkerProcess) -> None:
    job = client.jobs.create(TEMPLATE, "strokes", parameters=ENDLESS, model="cancelled")
    wait_for(client, job.name, training)
    client.jobs.cancel(job.name)
    assert ended(client, job.name, 10).state == State.STATE_CANCELLED
    assert worker.jobs() == []
    assert worker.attempts() == []
    with pytest.raises(NotFound):
        client.models.get("cancelled")


def test_a_training_process_that_somebody_kills_says_so_and_not_that_it_was_out_of_memory(
    client: Client, worker: WorkerProcess
) -> None:
    job = client.jobs.create(TEMPLATE, "strokes", parameters=ENDLESS)
    wait_for(client, job.name, training)
    (pid,) = worker.jobs()
    os.kill(pid, signal.SIGKILL)
    job = ended(client, job.name, 10)
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_SIGNAL)
    assert "killed by SIGKILL" in job.error.message
    assert worker.attempts() == []


def test_a_job_that_asks_for_a_gpu_waits_and_says_what_there_is(client: Client, worker: WorkerProcess) -> None:
    wanted = device_pb2.DeviceRequest(kind=device_pb2.DEVICE_KIND_GPU, count=1)
    job = client.jobs.get(client.jobs.create(TEMPLATE, "strokes", devices=wanted).name)
    assert job.state == State.STATE_QUEUED
    assert "needs 1 GPU" in job.pending_message
    assert "first: 1 CPU" in job.pending_message
    client.jobs.cancel(job.name)


def test_a_worker_that_was_away_for_a_lease_ends_its_attempt_and_the_next_one_goes_on(
    client: Client, worker: WorkerProcess
) -> None:
    job = client.jobs.create(TEMPLATE, "strokes", parameters=ENDLESS)
    saved = wait_for(client, job.name, training).progress.checkpoint_step
    (training_process,) = worker.jobs()
    worker.process.send_signal(signal.SIGSTOP)
    try:
        wait_for(client, job.name, lambda job: job.state == State.STATE_QUEUED, timeout_s=2 * LEASE_S)
    finally:
        worker.process.send_signal(signal.SIGCONT)
    until(lambda: training_process not in worker.jobs(), timeout_s=5)
    wait_for(client, job.name, lambda job: job.attempt == 2 and job.state == State.STATE_RUNNING)
    second, first = client.jobs.attempts(job.name)
    assert first.state == job_pb2.Attempt.STATE_LOST
    assert second.start_step >= saved
    client.jobs.cancel(job.name)
    ended(client, job.name, 20)
    assert worker.attempts() == []


def test_a_worker_that_is_told_to_stop_checkpoints_and_the_next_one_goes_on_there(
    yard: Yard, client: Client, worker: WorkerProcess, tmp_path: Path
) -> None:
    parameters = {"epochs": 400, "batch_size": 8, "checkpoint_every_s": 60}
    job = client.jobs.create(TEMPLATE, "strokes", parameters=parameters)
    wait_for(client, job.name, lambda job: job.state == State.STATE_RUNNING and job.progress.step > 30)
    assert worker.drain() == 0
    assert worker.attempts() == []
    waiting = client.jobs.get(job.name)
    assert waiting.state == State.STATE_QUEUED, waiting
    (first,) = client.jobs.attempts(job.name)
    assert first.state == job_pb2.Attempt.STATE_STOPPED
    saved = next(iter(client.lineage.checkpoints(job.name.rpartition("/")[2]))).step
    assert saved >= waiting.progress.step - 1
    with yard.worker("second") as second:
        again = wait_for(client, job.name, lambda job: job.attempt == 2 and job.state == State.STATE_RUNNING)
        assert next(iter(client.jobs.attempts(job.name))).start_step == saved
        assert again.progress.step >= saved
        wait_for(client, job.name, lambda job: job.progress.checkpoint_step > saved)
        client.lineage.pull_output(f"{job.name}/outputs/run", tmp_path / "run")
        names = sorted(path.name.partition(".")[0] for path in (tmp_path / "run/tensorboard/train").iterdir())
        assert (names[0], names[-1]) == ("attempt-0001", "events"), "what the first attempt has drawn is still there"
        client.jobs.cancel(job.name)
        ended(client, job.name, 20)
        assert second.drain() == 0
