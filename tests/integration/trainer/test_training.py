"""One attempt with real training in its process: errors of the code, and going on at the exact step."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from modelyard.templates.specs import SHIPPED, get_template
from modelyard.trainer.attempt import AttemptRun
from modelyard.trainer.domain import Device, Failed, FailureClass, Stopped, StopReason, Succeeded
from modelyard.trainer.reporter import Report, Reporter
from modelyard.trainer.work import Distribution, Evaluation, Installed, Resume, Work
from modelyard.trainer.workspace import Workspace
from tests.integration.job.child import prepare_idx, strokes
from tests.support.event_files import Point, points
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(180)
JOB = "projects/p/jobs/j"
PARAMETERS = get_template("image-classification").complete(
    {"epochs": 3, "batch_size": 4, "learning_rate": 0.001, "image_size": 0, "seed": 7}
)
RAISES = """
def main():
    raise ValueError("this is not my day")
"""
NOT_A_NUMBER = """
import keras
from modelyard.job import context
from modelyard.templates.specs import get_template

def main():
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(loss=lambda y, p: keras.ops.mean(p) * float("nan"))
    model.fit(context.dataset("train", batch_size=4), epochs=1, verbose=0)
"""


class Yard:
    """Keeps checkpoints and models in folders; what an attempt reports is what the test looks at."""

    def __init__(self, folder: Path, dataset: Path) -> None:
        self.folder = folder
        self._dataset = dataset
        self.resume: Resume | None = None
        self.checkpoints: list[int] = []
        self.metrics: Mapping[str, float] = {}
        self.stored_run = folder / "run"

    def attempt(self, number: int, code: Path, entry: str = "train:main", **parameters: Any) -> AttemptRun:
        work = Work(
            attempt=f"{JOB}/attempts/{number}",
            dataset_version="projects/p/datasets/d/versions/1",
            dataset_digest="",
            model="",
            devices=(Device("cpu", 0),),
            cpu_threads=0,
            checkpoint_every_s=60,
            code=code,
            entry=entry,
            parameters={**PARAMETERS, **parameters},
        )
        self.reporter = Reporter(work.attempt, self)
        return AttemptRun(work, Workspace(self.folder, work.attempt), self, self, self.reporter)

    async def begin(self, reporter: Reporter) -> Resume | None:
        return self.resume

    @asynccontextmanager
    async def dataset(self, reporter: Reporter) -> AsyncIterator[Path]:
        yield self._dataset

    async def made_by_others(self, model_version: str, reporter: Reporter) -> bool:
        raise AssertionError(model_version)

    async def checkpoint(self, resume: Resume, folder: Path, reporter: Reporter) -> None:
        await asyncio.to_thread(shutil.copytree, resume.name, folder)

    async def run_so_far(self, folder: Path, reporter: Reporter) -> None:
        if self.stored_run.exists():
            await asyncio.to_thread(shutil.copytree, self.stored_run, folder, dirs_exist_ok=True)

    async def earlier_profiles(self, folder: Path, reporter: Reporter) -> tuple[str, ...]:
        raise AssertionError(folder)

    async def store_checkpoint(self, step: int, folder: Path) -> None:
        kept = self.folder / f"kept-{step}"
        await asyncio.to_thread(shutil.copytree, folder, kept, dirs_exist_ok=True)
        self.checkpoints.append(step)
        self.resume = Resume(str(kept), step)

    @asynccontextmanager
    async def files(self, version: str, digest: str, reporter: Reporter) -> AsyncIterator[Path]:
        assert not version
        yield self.folder

    def installed(self, requirements: bytes, reporter: Reporter) -> AbstractAsyncContextManager[Installed]:
        raise AssertionError(requirements)

    async def store_output(self, name: str, folder: Path) -> None:
        assert name == "run"
        # In one go: a stop in between would leave half of it to look at.
        shutil.rmtree(self.stored_run, ignore_errors=True)
        shutil.copytree(folder, self.stored_run)

    async def record(self, report: Path, evaluation: Evaluation, reporter: Reporter) -> str:
        raise AssertionError(evaluation)

    async def register(
        self, folder: Path, metrics: Mapping[str, float], installed: Sequence[Distribution], reporter: Reporter
    ) -> str:
        self.metrics = metrics
        return "projects/p/models/m/versions/1"

    async def record_statistics(self, folder: Path, file: str, reporter: Reporter) -> None:
        raise AssertionError(file)

    async def register_dataset(self, folder: Path, reporter: Reporter) -> str:
        raise AssertionError(folder)

    async def report(self, report: Report) -> None:
        """Nothing is sent in these tests."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    prepare_idx(folder, strokes(800), strokes(80, seed=1), 4)
    return folder


@pytest.fixture
def yard(tmp_path: Path, dataset: Path) -> Yard:
    return Yard(tmp_path, dataset)


def package(folder: Path, code: str) -> Path:
    (folder / "package").mkdir()
    (folder / "package" / "train.py").write_text(code)
    return folder / "package"


async def test_code_that_raises_is_told_with_its_own_traceback(yard: Yard, tmp_path: Path) -> None:
    outcome = await yard.attempt(1, package(tmp_path, RAISES)).run()
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is FailureClass.USER_CODE
    assert outcome.message.startswith("ValueError: this is not my day")
    assert 'File "train.py", line 3, in main' in outcome.detail


async def test_a_loss_that_is_no_number_ends_the_job_with_advice(yard: Yard, tmp_path: Path) -> None:
    outcome = await yard.attempt(1, package(tmp_path, NOT_A_NUMBER)).run()
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is FailureClass.DIVERGED
    assert "the loss became nan" in outcome.message
    assert "smaller learning rate" in outcome.message


async def test_a_stopped_attempt_goes_on_at_its_exact_step_to_the_same_end(yard: Yard) -> None:
    template = SHIPPED / "image-classification"
    whole = yard.attempt(1, template)
    assert isinstance(await whole.run(), Succeeded)
    expected = dict(yard.metrics)

    yard.resume, yard.checkpoints = None, []
    first = yard.attempt(2, template)
    running = asyncio.create_task(first.run())
    reporter = yard.reporter
    await eventually(lambda: first.running and reporter.progress.step > 20, timeout_s=60)
    first.stop(StopReason.PREEMPTED, 30)
    assert await running == Stopped()
    step = yard.checkpoints[-1]
    assert step >= reporter.progress.step

    second = yard.attempt(3, template)
    assert isinstance(await second.run(), Succeeded)
    assert yard.reporter.start_step == step
    assert yard.reporter.progress.step == yard.reporter.progress.total_steps == 600
    assert dict(yard.metrics) == expected


async def test_after_a_crash_the_output_run_is_that_of_a_run_that_never_crashed(yard: Yard) -> None:
    def drawn() -> dict[str, list[Point]]:
        return {part: points(yard.stored_run / "tensorboard" / part) for part in ("train", "validation")}

    template = SHIPPED / "image-classification"
    assert isinstance(await yard.attempt(1, template).run(), Succeeded)
    expected = drawn()
    assert [step for name, step, _ in expected["train"] if name == "loss"] == [200, 400, 600]
    shutil.rmtree(yard.stored_run)

    yard.resume, yard.checkpoints = None, []
    dead = yard.attempt(2, template, checkpoint_every_s=0.05)
    running = asyncio.create_task(dead.run())
    # One of step 400 itself may have been made before the epoch's end was reported.
    await eventually(lambda: _in_second_epoch(yard) and yard.checkpoints[-1] > 400, timeout_s=60)
    dead.stop(StopReason.STALE, 0)  # nothing more is stored, as when a worker is killed
    assert await running == Stopped()
    stored = drawn()
    assert [step for name, step, _ in stored["train"] if name == "loss"] == [200, 400], "uploaded with the checkpoint"

    # The checkpoints behind the first epoch did not make it: what was drawn behind them is drawn once more.
    step = _in_second_epoch(yard)[-1]
    yard.resume = Resume(str(yard.folder / f"kept-{step}"), step)
    assert isinstance(await yard.attempt(3, template).run(), Succeeded)
    assert drawn() == expected
    names = sorted(path.name.partition(".")[0] for path in (yard.stored_run / "tensorboard" / "train").iterdir())
    assert names == ["attempt-0002", "events"]


def _in_second_epoch(yard: Yard) -> list[int]:
    return [step for step in yard.checkpoints if 200 <= step < 400]
