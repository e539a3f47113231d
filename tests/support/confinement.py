"""What tests of the sandbox share."""

import asyncio
import functools
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from modelyard.foundation.sandbox.capabilities import look
from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import End, Limits, Sandbox, Tier

MIB = 1 << 20
SMALL = Limits(memory_bytes=64 * MIB, pids=32, disk_bytes=8 * MIB, disk_files=2000, wall_s=20)


@functools.cache
def problem(tier: Tier) -> str | None:
    return look().problem(tier)


needs_bubblewrap = pytest.mark.skipif(
    problem(Tier.FOREIGN) is not None, reason=f"no sandbox for foreign code here: {problem(Tier.FOREIGN)}"
)
both_tiers = pytest.mark.parametrize("tier", [Tier.SHIPPED, pytest.param(Tier.FOREIGN, marks=needs_bubblewrap)])


def path_that_refuses_namespaces(folder: Path) -> str:
    """A PATH as of a machine that keeps namespaces from ordinary users."""
    folder.mkdir()
    program = folder / "bwrap"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.11.0 && exit\n'
        "echo 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@dataclass
class Ran:
    end: End
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


async def start(
    tier: Tier,
    code: str,
    work: Path,
    lines: list[str] | None = None,
    *,
    readable: Sequence[Path] = (),
    limits: Limits = SMALL,
    arguments: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
    network: bool = False,
) -> Confined:
    """Python code in the folder `work`, which it may write to."""
    sandbox = Sandbox(tier, tuple(readable), (work,), limits, network=network)
    kept = lines if lines is not None else []
    return await Confined.start(
        sandbox,
        [sys.executable, "-I", "-S", "-c", code, *arguments],
        environment={"HOME": str(work)},
        pass_fds=pass_fds,
        on_line=lambda _, line: kept.append(line),
    )


async def run(tier: Tier, code: str, work: Path, *, limits: Limits = SMALL, arguments: Sequence[str] = ()) -> Ran:
    """To its end."""
    lines: list[str] = []
    confined = await start(tier, code, work, lines, limits=limits, arguments=arguments)
    return Ran(await asyncio.wait_for(confined.wait(), 60), lines)
