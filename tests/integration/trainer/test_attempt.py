"""One attempt with a real process that does what the test says: every way to end, in every stage."""

import asyncio
import contextlib
import errno
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from modelyard.job.messages import JobSpec
from modelyard.templates.specs import Kind
from modelyard.trainer import attempt as attempts
from modelyard.trainer.attempt import AttemptRun
from modelyard.trainer.domain import (
    AttemptFailed,
    AttemptStopped,
    Device,
    Failed,
    FailureClass,
    Outcome,
    Stopped,
    StopReason,
    Succeeded,
)
from modelyard.trainer.heard import MAX_METRICS
from modelyard.trainer.reporter import Report, Reporter
from modelyard.trainer.work import Distribution, Evaluation, Installed, Resume, Work
from modelyard.trainer.workspace import Workspace, clear_leftovers
from tests.integration.trainer.yard import files_of
from tests.support.eventually import eventually

NAME = "projects/p/jobs/j/attempts/2"
VERSION = "projects/p/models/m/versions/1"
EVALUATION = f"{VERSION}/evaluations/j"
PROGRAM = (sys.executable, "-S", str(Path(__file__).with_name("scripted_job.py")))
TRAINED = [["prepared"], ["checkpoint", 10], ["hear", "checkpointed"], ["export"]]


class Rig:
    """An attempt, its catalog and its scheduler. `gates` hold a stage until they are opened."""

    def __init__(self, folder: Path, script: list[Any], *, resume: Resume | None = None, **work: Any) -> None:
        self.resume = resume
        self.stages: list[str] = []
        self.closed: set[str] = set()
        self.gate = asyncio.Event()
        self.slow_to_cancel_s = 0.0
        self.errors: dict[str, Exception] = {}
        self.stored: list[tuple[int, str]] = []
        self.outputs: dict[str, list[str]] = {}
        """The files of each, when it was stored last."""
        self.evaluation: Evaluation | None = None
        self.reports: list[Report] = []
        self.reporter = Reporter(NAME, self)
        self.folder = folder
        self.workspace = Workspace(folder, NAME)
        (folder / "dataset").mkdir(exist_ok=True)
        self._dataset = folder / "dataset"
        values: dict[str, Any] = {
            "attempt": NAME,
            "dataset_version": "projects/p/datasets/d/versions/1",
            "dataset_digest": "sha256:1",
            "model": "projects/p/models/m",
            "devices": (Device("cpu", 0),),
            "cpu_threads": 0,
            "checkpoint_every_s": 30.0,
            "parameters": {"script": script},
            "program": PROGRAM,
        }
        self.run = AttemptRun(Work(**{**values, **work}), self.workspace, self, self, self.reporter)

    async def begin(self, reporter: Reporter) -> Resume | None:
        await self._stage("begin")
        return self.resume

    @contextlib.asynccontextmanager
    async def dataset(self, reporter: Reporter) -> AsyncIterator[Path]:
        await self._stage("dataset")
        yield self._dataset
        self.stages.append("dataset is free")

    async def checkpoint(self, resume: Resume, folder: Path, reporter: Reporter) -> None:
        await self._stage("checkpoint")
        await asyncio.to_thread(folder.mkdir)

    async def store_checkpoint(self, step: int, folder: Path) -> None:
        await self._stage("store")
        self.stored.append((step, (folder / "state").read_text()))

    @contextlib.asynccontextmanager
    async def files(self, version: str, digest: str, reporter: Reporter) -> AsyncIterator[Path]:
        await self._stage(version.split("/")[2])
        yield self.folder / version.split("/")[2]

    def installed(self, requirements: bytes, reporter: Reporter) -> contextlib.AbstractAsyncContextManager[Installed]:
        raise AssertionError(requirements)

    async def store_output(self, name: str, folder: Path) -> None:
        await self._stage(f"output {name}")
        self.outputs[name] = files_of(folder)

    async def record(self, report: Path, evaluation: Evaluation, reporter: Reporter) -> str:
        await self.store_output("report", report)
        await self._stage("record")
        self.evaluation = evaluation
        return EVALUATION

    async def register(
        self, folder: Path, metrics: Mapping[str, float], installed: Sequence[Distribution], reporter: Reporter
    ) -> str:
        assert folder.is_relative_to(self.workspace.staged)
        assert (folder / "saved_model.pb").is_file()
        assert metrics == {"accuracy": 0.5}
        await self._stage("register")
        return VERSION

    async def report(self, report: Report) -> None:
        self.reports.append(report)

    async def _stage(self, name: str) -> None:
        self.stages.append(name)
        if name in self.closed:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                await asyncio.sleep(self.slow_to_cancel_s)
                raise
        if name in self.errors:
            raise self.errors[name]

    @property
    def lines(self) -> list[str]:
        """What the job has printed and the reporter has not sent."""
        return [line.text for line in self.reporter._take_lines()]

    async def outcome(self) -> Outcome:
        async with asyncio.timeout(20):
            outcome = await self.run.run()
        assert not self.workspace.folder.exists()
        assert not self.workspace.staged.exists()
        assert processes_of(self.workspace) == []
        return outcome

    async def stopped_in(self, stage: str, reason: StopReason, grace_s: float = 10.0) -> Outcome:
        """Run until a stage holds it, then stop it there."""
        self.closed.add(stage)
        running = asyncio.create_task(self.outcome())
        await eventually(lambda: stage in self.stages)
        self.run.stop(reason, grace_s)
        return await running


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def processes_of(workspace: Workspace) -> list[str]:
    """Command lines of processes whose home is in the workspace."""
    mark, found = f"HOME={workspace.folder}/".encode(), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text())
    return found


async def test_a_job_that_exports_a_model_succeeds(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TRAINED)
    assert await rig.outcome() == Succeeded(VERSION)
    assert rig.stages == ["begin", "dataset", "store", "dataset is free", "register"]
    assert rig.stored == [(10, "10")]
    assert rig.run.running
    assert rig.reporter.progress.checkpoint_step == 10


async def test_an_attempt_that_resumes_says_from_where(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["export"]], resume=Resume("projects/p/jobs/j/checkpoints/40", 40))
    assert await rig.outcome() == Succeeded(VERSION)
    assert rig.stages == ["begin", "dataset", "checkpoint", "dataset is free", "register"]
    assert rig.reporter.start_step == 40


@pytest.mark.parametrize("reason", [StopReason.CANCELLED, StopReason.STALE, StopReason.TIMEOUT])
@pytest.mark.parametrize("stage", ["begin", "dataset", "checkpoint", "store", "register"])
async def test_one_that_is_told_to_end_does_so_in_every_stage(tmp_path: Path, stage: str, reason: StopReason) -> None:
    rig = Rig(tmp_path, TRAINED, resume=Resume("projects/p/jobs/j/checkpoints/5", 5))
    started = time.monotonic()
    assert await rig.stopped_in(stage, reason) == Stopped()
    assert rig.stored == ([] if stage != "register" else [(10, "10")])
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("stage", ["begin", "dataset", "checkpoint"])
async def test_one_that_is_preempted_before_it_trains_has_nothing_to_save(tmp_path: Path, stage: str) -> None:
    rig = Rig(tmp_path, TRAINED, resume=Resume("projects/p/jobs/j/checkpoints/5", 5))
    assert await rig.stopped_in(stage, StopReason.PREEMPTED) == Stopped()
    assert rig.stored == []


async def test_one_that_is_preempted_while_it_trains_publishes_a_checkpoint_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], ["hear", "stop"], ["checkpoint", 17], ["stopped", 17]])
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: rig.run.running)
    rig.run.stop(StopReason.PREEMPTED, 10)
    assert await running == Stopped()
    assert rig.stored == [(17, "17")]


async def test_one_that_is_preempted_while_its_model_is_checked_may_finish(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["export"]])
    rig.closed.add("register")
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: "register" in rig.stages)
    rig.run.stop(StopReason.PREEMPTED, 10)
    rig.gate.set()
    assert await running == Succeeded(VERSION)


async def test_but_not_for_longer_than_the_grace(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["export"]])
    assert await rig.stopped_in("register", StopReason.PREEMPTED, grace_s=0.1) == Stopped()


async def test_a_job_that_does_not_listen_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], ["deaf"]])
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: rig.run.running)
    started = time.monotonic()
    rig.run.stop(StopReason.PREEMPTED, 0.3)
    assert await running == Stopped()
    assert time.monotonic() - started < 2


async def test_a_cancellation_does_not_wait_for_the_grace_of_a_preemption(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], ["deaf"]])
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: rig.run.running)
    rig.run.stop(StopReason.PREEMPTED, 60)
    rig.run.stop(StopReason.CANCELLED, 0)
    started = time.monotonic()
    assert await running == Stopped()
    assert time.monotonic() - started < 2


async def test_one_that_is_stopped_before_it_began_does_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, TRAINED)
    rig.run.stop(StopReason.CANCELLED, 0)
    assert await rig.outcome() == Stopped()
    assert rig.stages == []


@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.02, 0.05, 0.1])
async def test_a_cancellation_while_the_process_starts_leaves_none(tmp_path: Path, delay_s: float) -> None:
    rig = Rig(tmp_path, [["prepared"], ["deaf"]])
    files = open_files()
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: rig.reporter.progress.stage == "preparing" and "dataset" in rig.stages, interval_s=0.001)
    await asyncio.sleep(delay_s)  # somewhere in the start
    rig.run.stop(StopReason.CANCELLED, 0)
    assert await running == Stopped()
    assert open_files() <= files


async def test_a_job_ends_at_once_though_the_store_takes_its_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], ["checkpoint", 10], ["deaf"]])
    rig.slow_to_cancel_s = 1.0
    rig.closed.add("store")
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: "store" in rig.stages)
    rig.run.stop(StopReason.STALE, 0)
    await eventually(lambda: processes_of(rig.workspace) == [], timeout_s=0.7)
    assert not running.done()
    assert await running == Stopped()


async def test_the_job_is_told_the_names_of_what_it_works_on(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    rig = Rig(tmp_path, [["read", "job.json"]], model_version="projects/p/models/m/versions/2")
    await rig.outcome()
    told = JobSpec.from_json("\n".join(rig.lines))
    assert told.model_version == "projects/p/models/m/versions/2"
    assert told.dataset_version == "projects/p/datasets/d/versions/1"


async def test_a_newer_attempt_ends_it_at_its_next_checkpoint(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], ["checkpoint", 10], ["deaf"]])
    rig.errors["store"] = AttemptStopped()
    assert await rig.outcome() == Stopped()
    assert rig.run.stop_reason is StopReason.STALE


@pytest.mark.parametrize(
    ("script", "failure_class", "words"),
    [
        ([["prepared"], ["print", "last words"], ["kill"]], FailureClass.SIGNAL, "killed by SIGKILL"),
        ([["print", "last words"], ["exit", 3]], FailureClass.INTERNAL, "status 3"),
        ([["print", "last words"], ["exit", 0]], FailureClass.INTERNAL, "without a word"),
        ([["raw", "what?\n"], ["deaf"]], FailureClass.USER_CODE, "not a message"),
        ([["raw", "x" * 300_000], ["deaf"]], FailureClass.USER_CODE, "too long"),
        ([["say", "checkpoint", {"step": 1, "path": "/etc"}], ["deaf"]], FailureClass.USER_CODE, "not its own"),
        ([["say", "exported", {"path": "../..", "metrics": {}}]], FailureClass.USER_CODE, "not its own"),
        (
            [["say", "failed", {"failure_class": "DIVERGED", "message": "the loss became nan", "traceback": ""}]],
            FailureClass.DIVERGED,
            "nan",
        ),
    ],
)
async def test_every_bad_end_says_why(
    tmp_path: Path, script: list[Any], failure_class: FailureClass, words: str
) -> None:
    outcome = await Rig(tmp_path, script).outcome()
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is failure_class
    assert words in outcome.message
    if ["print", "last words"] in script:
        assert outcome.detail == "last words"


async def test_a_job_that_somebody_else_has_stopped_is_no_failure_of_its_own(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], ["checkpoint", 3], ["stopped", 3]])
    assert await rig.outcome() == Stopped()
    assert rig.stored == [(3, "3")]


@pytest.mark.parametrize("stage", ["begin", "dataset", "register"])
async def test_a_full_disk_is_a_sentence(tmp_path: Path, stage: str) -> None:
    rig = Rig(tmp_path, [["export"]])
    rig.errors[stage] = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path))
    outcome = await rig.outcome()
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is FailureClass.STORAGE
    assert "disk is full" in outcome.message


async def test_what_nobody_thought_of_is_a_failure_and_in_the_workers_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, [["export"]])
    rig.errors["register"] = RuntimeError("a bug")
    outcome = await rig.outcome()
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is FailureClass.INTERNAL
    assert "a bug" not in outcome.message
    assert "a bug" in caplog.text


async def test_a_job_that_this_worker_cannot_run_fails_with_the_reason(tmp_path: Path) -> None:
    outcome = await Rig(tmp_path, [], problem="this worker knows no template of that name").outcome()
    assert outcome == Failed(FailureClass.INTERNAL, "this worker knows no template of that name")


async def test_a_checkpoint_that_cannot_be_stored_costs_the_job_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "LAST_CHECKPOINT_S", 0.2)
    rig = Rig(tmp_path, [["prepared"], ["checkpoint", 10], ["export"]])
    rig.errors["store"] = AttemptFailed(FailureClass.STORAGE, "the store is down")
    assert await rig.outcome() == Succeeded(VERSION)
    assert any("the checkpoint of step 10 could not be stored: the store is down" in line for line in rig.lines)


async def test_the_process_gets_a_nearly_empty_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_TOKEN", "secret")
    rig = Rig(tmp_path, [["environment"], ["export"]])
    assert await rig.outcome() == Succeeded(VERSION)
    environment = json.loads(next(line for line in rig.lines if line.startswith("{")))
    allowed = {"PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "LANG", "LC_CTYPE", "CUDA_DEVICE_ORDER"}
    assert set(environment) <= allowed | {"PYTHONUNBUFFERED", "PYTHONHASHSEED", "TF_CPP_MIN_LOG_LEVEL"}
    assert environment["HOME"] == str(rig.workspace.scratch)


async def test_what_a_job_has_started_ends_with_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["spawn"], ["export"]])
    assert await rig.outcome() == Succeeded(VERSION)


async def test_a_job_that_reports_metrics_without_end_is_heard_up_to_a_limit(tmp_path: Path) -> None:
    said = [["say", "metric", {"step": 1, "name": f"m{number}", "value": 1.0}] for number in range(300)]
    rig = Rig(tmp_path, [*said, ["export"]])
    assert await rig.outcome() == Succeeded(VERSION)
    assert len(rig.reporter.progress.metrics) == MAX_METRICS
    assert sum("is left out" in line for line in rig.lines) == 1


EVALUATED = ["say", "evaluated", {"metrics": {"accuracy": 0.5}, "split": "test", "examples": 10}]


async def test_an_evaluation_leaves_a_report_and_what_it_found(tmp_path: Path) -> None:
    script = [["prepared"], ["write", "outputs/report/report.html", "<html>"], EVALUATED]
    rig = Rig(tmp_path, script, kind=Kind.EVALUATION)
    assert await rig.outcome() == Succeeded(evaluation=EVALUATION)
    assert rig.evaluation == Evaluation({"accuracy": 0.5}, "test", 10)
    assert rig.outputs == {"report": ["report.html"]}
    assert "register" not in rig.stages


async def test_an_evaluation_that_found_nothing_has_failed(tmp_path: Path) -> None:
    outcome = await Rig(tmp_path, [["export"]], kind=Kind.EVALUATION).outcome()
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is FailureClass.INTERNAL


RUN = ["write", "outputs/run/tensorboard/train/events.out.1", "points"]


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ([RUN, ["export"]], Succeeded),
        ([RUN, ["say", "failed", {"failure_class": "DIVERGED", "message": "nan", "traceback": ""}]], Failed),
        ([RUN, ["exit", 3]], Failed),
        ([RUN, ["prepared"], ["stopped", 3]], Stopped),
    ],
)
async def test_what_a_job_has_drawn_is_kept_however_it_ended(
    tmp_path: Path, script: list[Any], outcome: type[Outcome]
) -> None:
    rig = Rig(tmp_path, script)
    assert isinstance(await rig.outcome(), outcome)
    assert rig.outputs == {"run": ["tensorboard/train/events.out.1"]}


async def test_it_is_stored_with_a_checkpoint_as_well(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [RUN, ["prepared"], ["checkpoint", 10], ["hear", "checkpointed"], ["deaf"]])
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: "run" in rig.outputs)
    rig.run.stop(StopReason.CANCELLED, 0)
    assert await running == Stopped()
    assert rig.stages.count("output run") == 1


@pytest.mark.parametrize("reason", [StopReason.CANCELLED, StopReason.STALE])
async def test_nothing_is_kept_of_a_job_that_nobody_wants_any_more(tmp_path: Path, reason: StopReason) -> None:
    rig = Rig(tmp_path, [RUN, ["prepared"], ["deaf"]])
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: rig.run.running)
    rig.run.stop(reason, 0)
    assert await running == Stopped()
    assert rig.outputs == {}


async def test_an_output_that_cannot_be_stored_costs_the_job_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [RUN, ["export"]])
    rig.errors["output run"] = AttemptFailed(FailureClass.STORAGE, "the store is down")
    assert await rig.outcome() == Succeeded(VERSION)
    assert "the output run could not be stored: the store is down" in rig.lines


async def test_texts_are_shown_in_the_progress(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["say", "text", {"step": 1, "name": "note", "text": "hello"}], ["export"]])
    assert await rig.outcome() == Succeeded(VERSION)
    assert rig.reporter.progress.texts == {"note": "hello"}


async def test_a_job_that_hangs_up_and_stays_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SILENT_S", 0.3)
    outcome = await Rig(tmp_path, [["prepared"], ["hang up"], ["deaf"]]).outcome()
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is FailureClass.USER_CODE
    assert "closed its line to the worker" in outcome.message


async def test_a_flood_of_lines_does_not_keep_the_worker_from_its_work(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["flood", 3.0], ["print", "the end"], ["export"]])
    reporting = asyncio.create_task(rig.reporter.run())
    running = asyncio.create_task(rig.outcome())
    worst, before = 0.0, time.monotonic()
    while not running.done():
        await asyncio.sleep(0.01)  # what the loop's other tasks would notice
        now = time.monotonic()
        worst, before = max(worst, now - before), now
    reporting.cancel()
    await asyncio.wait([reporting])
    await rig.reporter.flush()
    assert await running == Succeeded(VERSION)
    assert worst < 1.5, "a worker's lease lasts 20 s, and its calls must be answered in time"
    assert len(rig.reports) < 80
    lines = [line.text for report in rig.reports for line in report.lines]
    assert "the end" in lines
    assert any("lines were left out" in line for line in lines)


async def test_a_worker_that_was_killed_leaves_nothing_for_the_next_one(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, NAME)
    workspace.create()
    (workspace.folder / "closed").mkdir(mode=0)
    left = await asyncio.create_subprocess_exec(
        "sleep", "1000", env={"HOME": str(workspace.scratch)}, start_new_session=True
    )
    other = await asyncio.create_subprocess_exec("sleep", "1000", env={"HOME": str(tmp_path)})
    await eventually(lambda: len(processes_of(workspace)) == 1)
    try:
        clear_leftovers(tmp_path)
        assert await asyncio.wait_for(left.wait(), 5) == -9
        assert other.returncode is None
        assert not (tmp_path / "attempts").exists()
    finally:
        other.kill()
        await other.wait()
