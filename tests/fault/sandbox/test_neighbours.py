"""T-SBX-02: a program that wants the whole CPU gets as much of it as the one beside it; figures are in `make bench`."""

import asyncio
import os
from pathlib import Path

import pytest

from modelyard.foundation.sandbox import cgroups, tree
from modelyard.foundation.sandbox.policy import Tier
from tests.support.confinement import both_tiers, start
from tests.support.eventually import eventually

PLACE = cgroups.find(prepare=False)
PROCESSES = 12
BUSY = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for _ in range(int(sys.argv[1]) - 1):
    if os.fork() == 0:
        os.setsid()
        break
while True: pass
"""
"""Sessions of their own: the kernel shares the CPU out among sessions where there are no groups."""

pytestmark = pytest.mark.skipif(
    PLACE is None or PLACE.cpu is None, reason="no control groups for the CPU are ours on this machine"
)


@both_tiers
async def test_many_busy_processes_are_in_one_group_and_take_no_more_than_one_alone(tier: Tier, tmp_path: Path) -> None:
    for name in ("many", "one"):
        (tmp_path / name).mkdir()
    many = await start(tier, BUSY, tmp_path / "many", arguments=[str(PROCESSES)])
    one = await start(tier, BUSY, tmp_path / "one", arguments=["1"])
    try:
        await eventually(lambda: len(busy(many.pid)) == PROCESSES and len(busy(one.pid)) == 1)
        groups = {group(process) for process in busy(many.pid)}
        assert len(groups) == 1
        assert groups.isdisjoint({group(one.pid), group(os.getpid())})
        before = [spent(many.pid), spent(one.pid)]
        await eventually(lambda: spent(many.pid) + spent(one.pid) > sum(before) + 1.0)
        took, left = spent(many.pid) - before[0], spent(one.pid) - before[1]
        print(f"{PROCESSES} processes: {took:.2f} s, 1 process beside them: {left:.2f} s")
        assert left > 0.8 * took, "of one CPU, so half of it is its fair share"
    finally:
        for each in (many, one):
            each.kill()
        await asyncio.gather(many.wait(), one.wait())


def busy(process: int) -> list[int]:
    """Those below it that have taken CPU time themselves, after the start."""
    return [each for each in tree.descendants(process) if seconds(each) > 0.02 and state(each) == "R"]


def spent(process: int) -> float:
    return sum(map(seconds, tree.descendants(process)))


def seconds(process: int) -> float:
    """Of CPU time."""
    return sum(map(int, fields(process)[11:13])) / os.sysconf("SC_CLK_TCK")


def state(process: int) -> str:
    return fields(process)[0]


def fields(process: int) -> list[str]:
    return Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()


def group(process: int) -> str:
    """Its CPU's control group."""
    lines = Path("/proc", str(process), "cgroup").read_text().splitlines()
    return next((line for line in lines if "cpu" in line.split(":")[1].split(",")), lines[-1])
