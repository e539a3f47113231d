"""T-SBX-06: what a sandbox costs at its start and in memory. Figures, no limits: the machine may be busy."""

import statistics
import sys
import time
from pathlib import Path

from modelyard.foundation.sandbox import tree
from modelyard.foundation.sandbox.policy import Tier
from modelyard.foundation.sync.children import Child
from tests.support.confinement import both_tiers, run, start
from tests.support.eventually import eventually

TIMES = 7


@both_tiers
async def test_the_cost_of_a_start_is_told(tier: Tier, tmp_path: Path) -> None:
    bare, confined = [], []
    await run(tier, "pass", tmp_path)  # the first one looks at the machine
    for _ in range(TIMES):
        began = time.perf_counter()
        await (await Child.start([sys.executable, "-I", "-S", "-c", "pass"])).wait()
        bare.append(time.perf_counter() - began)
        began = time.perf_counter()
        assert (await run(tier, "pass", tmp_path)).end.ok
        confined.append(time.perf_counter() - began)
    without, within = statistics.median(bare) * 1e3, statistics.median(confined) * 1e3
    lines: list[str] = []
    waiting = await start(tier, "import time; print('up', flush=True); time.sleep(60)", tmp_path, lines)
    await eventually(lambda: lines)
    everything = tree.resident_bytes([waiting.pid, *tree.descendants(waiting.pid)])
    program = tree.resident_bytes([max(tree.descendants(waiting.pid), default=waiting.pid)])
    waiting.kill()
    await waiting.wait()
    print(f"start and end: {within:.0f} ms in {tier}, {without:.0f} ms without: {within - without:.0f} ms more")
    print(f"memory: {(everything - program) / 1e6:.1f} MB more")
    assert program > 0
