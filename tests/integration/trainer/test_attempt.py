"""One attempt with a real process that does what the test says: every way to end, in every stage."""

import asyncio
import errno
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from modelyard.job.messages import JobSpec
from modelyard.templates.specs import Kind
from modelyard.trainer import attempt as attempts
from modelyard.trainer.domain import (
    AttemptFailed,
    AttemptStopped,
    Failed,
    FailureClass,
    Stopped,
    StopReason,
    Succeeded,
)
from modelyard.trainer.heard import MAX_METRICS
from modelyard.trainer.work import Evaluation, Resume
from modelyard.trainer.workspace import Workspace, clear_leftovers
from tests.integration.trainer.rig import EVALUATION, NAME, TRAINED, VERSION, Rig, processes_of
from tests.support.eventually import eventually


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
    assert rig.stages == ["begin", "dataset", "checkpoint", "run so far", "dataset is free", "register"]
    assert rig.reporter.start_step == 40


async def test_a_job_ends_at_once_though_the_store_takes_its_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], ["checkpoint", 10], ["deaf"]])
    rig.slow_to_cancel_s = 4.0
    rig.closed.add("store")
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: "store" in rig.stages)
    rig.run.stop(StopReason.STALE, 0)
    await eventually(lambda: processes_of(rig.workspace) == [], timeout_s=3)
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
