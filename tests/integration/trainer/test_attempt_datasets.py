"""Attempts that find out what is in a dataset, or make one of a model's answers."""

import asyncio
from pathlib import Path

import pytest

from modelyard.foundation.sandbox import landlock, preparation
from modelyard.templates.specs import Kind
from modelyard.trainer.domain import Failed, FailureClass, Stopped, StopReason, Succeeded
from tests.integration.trainer.rig import ANSWERS, Rig
from tests.support.confinement import needs_bubblewrap, path_that_refuses_namespaces
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


@pytest.fixture
def namespaces_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", path_that_refuses_namespaces(tmp_path / "refuses"))
    monkeypatch.setattr(preparation, "_known", None)


@pytest.mark.usefixtures("namespaces_are_refused")
async def test_data_is_profiled_under_landlock_where_namespaces_are_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [["prepared"], *PROFILE, PROFILED], kind=Kind.PROFILE, devices=(), model="")
    assert await rig.outcome() == Succeeded()


@pytest.mark.usefixtures("namespaces_are_refused")
async def test_data_is_not_even_profiled_where_landlock_is_missing_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    outcome = await Rig(tmp_path, [["prepared"], *PROFILE, PROFILED], kind=Kind.PROFILE, devices=()).outcome()
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is FailureClass.SANDBOX_UNAVAILABLE


@pytest.mark.usefixtures("namespaces_are_refused")
@pytest.mark.parametrize("foreign", [False, True])
async def test_a_model_is_asked_where_namespaces_are_refused_only_if_it_is_our_own(
    tmp_path: Path, foreign: bool
) -> None:
    script = [["prepared"], ["write", "outputs/prediction/answers.csv", "a,b"], PREDICTED]
    rig = Rig(tmp_path, script, kind=Kind.PREDICTION, model="", model_version="projects/p/models/m/versions/1")
    (tmp_path / "models").mkdir()
    rig.foreign_model = foreign
    outcome = await rig.outcome()
    if not foreign:
        assert outcome == Succeeded(output_dataset_version=ANSWERS)
        return
    assert isinstance(outcome, Failed)
    assert outcome.failure_class is FailureClass.SANDBOX_UNAVAILABLE


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
