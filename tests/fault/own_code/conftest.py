"""A worker that runs the packages of these tests, and what is left of them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.sdk import Client
from modelyard.sdk.folder import Source
from tests.integration.trainer.test_jobs import write
from tests.integration.trainer.yard import WorkerProcess, Yard, ended, running_yard, wait_for
from tests.support.background import in_background
from tests.support.seaweedfs import RunningStore

WORKER = Path(__file__).with_name("worker.py")
LIMITS = {"memory_bytes": 256 << 20, "pids": 32, "disk_bytes": 32 << 20, "disk_files": 2_000}
State, Class = job_pb2.Job.State, job_pb2.Job.FailureClass
GOOD = "print('all is well')\nexport(accuracy=1.0)\n"


@dataclass(frozen=True)
class Bench:
    """Runs scripts as packages."""

    yard: Yard
    client: Client
    worker: WorkerProcess

    def start(self, script: str, **files: str) -> job_pb2.Job:
        """A job of a package with this train.py, with the dataset `strokes`."""
        name = f"p{time.monotonic_ns()}"
        sources = {path.replace("__", "."): text for path, text in ({"train__py": script} | files).items()}
        packed = {path: Source(len(text.encode()), content=text.encode()) for path, text in sources.items()}
        self.client.packages.push_sources(name, packed)
        return self.client.jobs.create(package=name, entry="train", dataset="strokes", max_attempts=1)

    def run(self, script: str, timeout_s: float = 60, **files: str) -> job_pb2.Job:
        """The job once it has ended."""
        return ended(self.client, self.start(script, **files).name, timeout_s)

    def running(self, job: job_pb2.Job) -> job_pb2.Job:
        """The job once its first step has begun."""
        return wait_for(self.client, job.name, lambda job: job.state == State.STATE_RUNNING, 30)

    def ended(self, job: job_pb2.Job, timeout_s: float) -> job_pb2.Job:
        return ended(self.client, job.name, timeout_s)

    def log(self, job: job_pb2.Job) -> str:
        """What it has printed."""
        return "\n".join(self.yard.log(job.name))

    def outputs(self, job: job_pb2.Job) -> list[str]:
        return [output.name.rpartition("/")[2] for output in self.client.lineage.outputs(job.name)]


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, seaweedfs: RunningStore) -> Iterator[Yard]:
    s3 = seaweedfs.store.settings.model_copy(update={"bucket": "owncode"})
    with in_background(running_yard(tmp_path_factory.mktemp("yard"), s3, backoff_s=0, lease_s=6.0)) as yard:
        with yard.client() as client:
            write(yard.folder / "strokes", 20)
            client.datasets.push("strokes", yard.folder / "strokes")
        yield yard


@pytest.fixture(scope="module")
def worker(yard: Yard) -> Iterator[WorkerProcess]:
    with yard.worker("first", program=(str(WORKER),), limits=LIMITS) as worker:
        yield worker


@pytest.fixture
def bench(yard: Yard, worker: WorkerProcess) -> Iterator[Bench]:
    """Afterwards nothing of the job is left, and the worker takes the next one."""
    before = worker.process.pid
    with yard.client() as client:
        bench = Bench(yard, client, worker)
        yield bench
        assert worker.process.poll() is None, worker.log
        assert worker.process.pid == before
        assert worker.attempts() == []
        assert list((worker.home / "work" / "staged").glob("*")) == []
        assert worker.descendants() == []
        good = bench.run(GOOD)
        assert good.state == State.STATE_SUCCEEDED, good
