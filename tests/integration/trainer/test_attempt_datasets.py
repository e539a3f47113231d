"""Attempts that find out what is in a dataset, or make one of a model's answers."""

import asyncio
from pathlib import Path

import pytest

from modelyard.templates.specs import Kind
from modelyard.trainer.domain import Failed, FailureClass, Stopped, StopReason, Succeeded
from tests.integration.trainer.rig import ANSWERS, Rig
from tests.support.confinement import needs_bubblewrap
from tests.support.eventually import eventually

PROFILE = [["write", "outputs/profile/profile.json", "{}"], ["write", "outputs/profile/page.html", "<html>"]]
PROFILED = ["say", "profiled", {"path": "outputs/profile/profile.json"}]
PREDICTED = ["say", "predicted", {"path": "outputs/prediction", "examples": 3}]


@needs_bubblewrap
async def test_a_profile_without_a_device_is_stored_with_its_statistics(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], *PROFILE, PROFILED], kind=Kind.PROFILE, devices=(), model="")
    assert await rig.outcome() == Succeeded()
    assert rig.outputs == {"profile": ["page.html", "profile.json"]}
    assert (rig.statistics, rig.reporter.progress.stage) == ("{}", "profiling")
    assert "register" not in rig.stages


@needs_bubblewrap
@pytest.mark.parametrize(
    "script",
    [
        [*PROFILE],
        [["export"]],
        [["say", "profiled", {"path": "/etc/passwd"}]],
        [["say", "profiled", {"path": "../other/profile.json"}]],
        [["link", "outputs/profile/profile.json", "/etc/passwd"], PROFILED],
    ],
    ids=["silent", "another message", "elsewhere", "above", "a link"],
)
async def test_a_profile_that_is_none_has_failed(tmp_path: Path, script: list[list[object]]) -> None:
    rig = Rig(tmp_path, script, kind=Kind.PROFILE, devices=())
    outcome = await rig.outcome()
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is FailureClass.USER_CODE
    assert rig.statistics == ""


@needs_bubblewrap
async def test_a_profile_that_shall_make_room_ends_at_once_and_begins_anew(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], ["deaf"]], kind=Kind.PROFILE, devices=())
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: rig.run.running)
    rig.run.stop(StopReason.PREEMPTED, grace_s=600)
    assert await running == Stopped()


async def test_a_profile_of_strangers_data_runs_in_the_strong_sandbox_only(tmp_path: Path) -> None:
    assert Rig(tmp_path, [], kind=Kind.PROFILE, devices=()).run.work.foreign


async def test_answers_become_a_dataset_version(tmp_path: Path) -> None:
    script = [["prepared"], ["write", "outputs/prediction/answers.csv", "a,b"], PREDICTED]
    rig = Rig(tmp_path, script, kind=Kind.PREDICTION, model="", output_dataset="projects/p/datasets/answers")
    assert await rig.outcome() == Succeeded(output_dataset_version=ANSWERS)
    assert rig.answers == ["answers.csv"]
    assert rig.reporter.progress.stage == "predicting"


async def test_a_prediction_is_stopped_at_a_checkpoint_like_a_training(tmp_path: Path) -> None:
    script = [["prepared"], ["hear", "stop"], ["checkpoint", 10], ["hear", "checkpointed"], ["stopped", 10]]
    rig = Rig(tmp_path, script, kind=Kind.PREDICTION)
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: rig.run.running)
    rig.run.stop(StopReason.PREEMPTED, 20)
    assert await running == Stopped()
    assert rig.stored == [(10, "10")]


async def test_no_answer_at_all_is_no_dataset(tmp_path: Path) -> None:
    said = ["say", "predicted", {"path": "outputs/prediction", "examples": 0}]
    outcome = await Rig(tmp_path, [said], kind=Kind.PREDICTION).outcome()
    assert isinstance(outcome, Failed)
    assert "about no example at all" in outcome.message
