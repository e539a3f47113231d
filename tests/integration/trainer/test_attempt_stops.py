"""An attempt that is told to stop, in every stage of its life."""

import asyncio
import time
from pathlib import Path

import pytest

from modelyard.trainer.domain import (
    Stopped,
    StopReason,
    Succeeded,
)
from modelyard.trainer.work import Resume
from tests.integration.trainer.rig import TRAINED, VERSION, Rig, open_files
from tests.support.eventually import eventually


@pytest.mark.parametrize("reason", [StopReason.CANCELLED, StopReason.STALE, StopReason.TIMEOUT])
@pytest.mark.parametrize("stage", ["begin", "dataset", "checkpoint", "run so far", "store", "register"])
async def test_one_that_is_told_to_end_does_so_in_every_stage(tmp_path: Path, stage: str, reason: StopReason) -> None:
    rig = Rig(tmp_path, TRAINED, resume=Resume("projects/p/jobs/j/checkpoints/5", 5))
    started = time.monotonic()
    assert await rig.stopped_in(stage, reason) == Stopped()
    assert rig.stored == ([] if stage != "register" else [(10, "10")])
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("stage", ["begin", "dataset", "checkpoint", "run so far"])
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
