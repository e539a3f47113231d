"""One installation for the tests of this folder that need no other, with a model that serves."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.sdk import Client
from modelyard.sdk.errors import ModelyardError
from tests.support.stack import Stack, held_out, running_stack, write_digits

IMAGES = 1500
EMBEDDED = {"PATH": "/usr/bin:/bin"}
"""Without MinIO: the store that comes with modelyard."""


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Digits, and a model of them deployed as `digits`."""
    with running_stack(tmp_path_factory.mktemp("fault"), environment=EMBEDDED) as stack:
        write_digits(stack.home / "digits", IMAGES)
        stack.run("datasets", "push", "digits", "digits")
        job = stack.json("train", "image-classification", "--dataset", "digits", "--set", "epochs=1", "--watch")
        stack.run("deploy", "digits", "--model", job["model_version"])
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.address, token=stack.token) as client:
        yield client


@dataclass
class Asker:
    """Asks `digits` for predictions without a pause."""

    stack: Stack
    answered: list[float] = field(default_factory=list)
    """When there was an answer, by the monotonic clock."""
    failed: list[tuple[float, str]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        images, _ = held_out(1)
        with Client(self.stack.address, token=self.stack.token) as client:
            while not self._stop.is_set():
                try:
                    client.deployments.predict("digits", {"image": images})
                    self.answered.append(time.monotonic())
                except ModelyardError as error:
                    self.failed.append((time.monotonic(), error.message))
                self._stop.wait(0.05)

    def stop(self) -> None:
        self._stop.set()

    def wait_for_answer(self, since: float, timeout_s: float) -> float:
        """How long after `since` the next answer came; fails after `timeout_s`."""
        while time.monotonic() < since + timeout_s:
            later = [at for at in self.answered[-5:] if at > since]
            if later:
                return later[0] - since
            time.sleep(0.05)  # between looks
        raise AssertionError(f"no prediction for {timeout_s} s: {self.failed[-3:]}")

    def failures_since(self, since: float) -> list[str]:
        return [why for at, why in self.failed if at > since]

    def away_since(self, since: float) -> float:
        """How long after `since` the last failure was."""
        return max((at for at, _ in self.failed if at > since), default=since) - since


@pytest.fixture
def asker(stack: Stack) -> Iterator[Asker]:
    """Predictions that flow while the test runs."""
    asker = Asker(stack)
    thread = threading.Thread(target=asker.run)
    thread.start()
    try:
        asker.wait_for_answer(time.monotonic(), 60)
        yield asker
    finally:
        asker.stop()
        thread.join()


def wait_until_saved(client: Client, name: str, beyond: int = 0) -> job_pb2.Job:
    """The job once it trains and has a checkpoint that is newer than step `beyond`."""
    for job in client.jobs.watch(name):
        if job.progress.stage == "training" and job.progress.checkpoint_step > beyond:
            return job
    raise AssertionError(f"the job has ended: {job}")
