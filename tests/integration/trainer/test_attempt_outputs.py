"""What an attempt keeps of what its job has drawn and written."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from modelyard.trainer.domain import (
    AttemptFailed,
    Failed,
    FailureClass,
    Outcome,
    Stopped,
    StopReason,
    Succeeded,
)
from modelyard.trainer.work import Resume
from tests.integration.trainer.rig import VERSION, Rig
from tests.support.eventually import eventually

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


async def test_it_is_stored_before_each_checkpoint_so_that_none_is_ahead_of_it(tmp_path: Path) -> None:
    saved = [["checkpoint", 10], ["hear", "checkpointed"], ["checkpoint", 20], ["hear", "checkpointed"]]
    rig = Rig(tmp_path, [RUN, ["prepared"], *saved, ["deaf"]])
    running = asyncio.create_task(rig.outcome())
    await eventually(lambda: len(rig.stored) == 2)
    rig.run.stop(StopReason.CANCELLED, 0)
    assert await running == Stopped()
    assert rig.stages[2:6] == ["output run", "store", "output run", "store"]


EARLIER = {"tensorboard/train/attempt-0001.events": "points", "images/grid/3.png": "a picture"}


async def test_an_attempt_that_goes_on_keeps_what_the_earlier_ones_have_drawn(tmp_path: Path) -> None:
    rig = Rig(tmp_path, [RUN, ["export"]], resume=Resume("projects/p/jobs/j/checkpoints/5", 5))
    rig.earlier = EARLIER
    assert await rig.outcome() == Succeeded(VERSION)
    assert rig.outputs == {"run": sorted([*EARLIER, "tensorboard/train/events.out.1"])}


@pytest.mark.parametrize("stage", ["checkpoint", "run so far"])
async def test_one_that_ends_before_it_has_them_does_not_take_their_place(tmp_path: Path, stage: str) -> None:
    rig = Rig(tmp_path, [["export"]], resume=Resume("projects/p/jobs/j/checkpoints/5", 5))
    rig.earlier = EARLIER
    assert await rig.stopped_in(stage, StopReason.PREEMPTED) == Stopped()
    assert rig.outputs == {}


async def test_what_cannot_be_stored_is_said_once_for_each_reason(tmp_path: Path) -> None:
    saved = [["checkpoint", 10], ["hear", "checkpointed"], ["checkpoint", 20], ["hear", "checkpointed"]]
    rig = Rig(tmp_path, [RUN, ["prepared"], *saved, ["export"]])
    rig.errors["output run"] = AttemptFailed(FailureClass.STORAGE, "the store is down")
    assert await rig.outcome() == Succeeded(VERSION)
    assert [step for step, _ in rig.stored] == [10, 20]
    assert rig.lines.count("the output run could not be stored: the store is down") == 1


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
