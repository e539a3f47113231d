"""The embedded object store, running."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from modelyard.foundation.objectstore.embedded import EmbeddedStore, prepare, ready, sweep
from modelyard.foundation.sync.children import Child


@dataclass(frozen=True)
class RunningStore:
    store: EmbeddedStore
    child: Child
    lines: list[str]


@asynccontextmanager
async def running_seaweedfs(folder: Path) -> AsyncIterator[RunningStore]:
    store = prepare(folder)
    lines: list[str] = []
    child = await Child.start(
        store.argv, environment=store.environment, cwd=store.cwd, on_line=lambda _, line: lines.append(line)
    )
    try:
        await ready(store)
        yield RunningStore(store, child, lines)
    finally:
        await child.stop(grace_s=3)
        sweep(store)
