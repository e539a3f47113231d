"""Models as people bring them, and what the template `import-model` makes of them in the strong sandbox."""

import asyncio
import sys
from pathlib import Path

import pytest

from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import Limits, Sandbox, Tier
from tests.support.foreign.models import foreign_models
from tests.support.imports import ROOT


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return foreign_models(tmp_path_factory.mktemp("foreign") / "models")


@pytest.fixture(scope="session")
def brought_in(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Below it, `<name>/model` or `<name>/failed`; all of them were loaded and asked in one sandbox."""
    target = tmp_path_factory.mktemp("imported")
    asyncio.run(_bring_in(models, target))
    return target


async def _bring_in(models: Path, target: Path) -> None:
    lines: list[str] = []
    limits = Limits(memory_bytes=6 << 30, pids=512, wall_s=400)
    program = await Confined.start(
        Sandbox(Tier.FOREIGN, (ROOT / "tests", models), (target,), limits),
        [sys.executable, "-m", "tests.support.imports", str(models), str(target)],
        environment={"HOME": str(target), "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"},
        cwd=ROOT,
        on_line=lambda _, line: lines.append(line),
    )
    end = await program.wait()
    assert end.ok, f"{end.message}: {lines[-20:]}"
