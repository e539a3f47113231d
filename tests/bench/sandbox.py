"""What a sandbox costs a start, and what it keeps for a neighbour: `python -m tests.bench sandbox`.

A start: from the call that starts a program which does nothing until it has ended and was collected, in each tier,
against the same program started the same way without a sandbox.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import Limits, Sandbox, Tier
from modelyard.foundation.sync.children import Child
from tests.bench import sandbox_neighbour
from tests.bench.rows import Row, at_most_times

TARGET_MS = 150.0
EMPTY = ("/bin/true",)
LIMITS = Limits(memory_bytes=1 << 30, pids=256, file_bytes=1 << 30, disk_bytes=1 << 30, disk_files=10_000)
"""All that a job's process gets, so that all of it is paid for."""


def measure(pairs: int) -> list[Row]:
    """Milliseconds of starts, and what neighbours keep of their speed."""
    return asyncio.run(_rows(pairs))


async def _rows(pairs: int) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-sandbox-") as name:
        for tier in Tier:
            sandbox = Sandbox(tier, (), (Path(name),), LIMITS)
            # The first start finds nothing in memory, neither ours nor the floor's.
            await confined(sandbox)
            await bare()
            ours: list[float] = []
            floor: list[float] = []
            for pair in range(pairs):
                if pair % 2 == 0:
                    floor.append(await bare())
                    ours.append(await confined(sandbox))
                else:
                    ours.append(await confined(sandbox))
                    floor.append(await bare())
            row = Row(
                f"start, {tier.value} tier", ours, "ms", floor, "no sandbox", at_most_times(1.0, TARGET_MS, " ms")
            )
            print(row.line(), flush=True)
            rows.append(row)
        rows += await sandbox_neighbour.rows(Path(name))
    return rows


async def confined(sandbox: Sandbox) -> float:
    """Milliseconds; raises where the tier is not possible here."""
    began = time.perf_counter()
    child = await Confined.start(sandbox, EMPTY)
    end = await child.wait()
    took = (time.perf_counter() - began) * 1000
    if not end.ok:
        raise RuntimeError(f"{EMPTY[0]} in tier {sandbox.tier.value}: {end.message}")
    return took


async def bare() -> float:
    """The same without a sandbox."""
    began = time.perf_counter()
    await (await Child.start(EMPTY)).wait()
    return (time.perf_counter() - began) * 1000
