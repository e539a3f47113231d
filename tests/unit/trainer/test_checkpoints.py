"""Checkpoints are published one at a time, the newest first."""

import asyncio
from pathlib import Path

import pytest

from modelyard.trainer.checkpoints import CheckpointPublisher
from modelyard.trainer.domain import AttemptFailed, AttemptStopped, FailureClass


class Catalog:
    """Stores checkpoints once it is allowed to."""

    def __init__(self) -> None:
        self.stored: list[int] = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def store(self, step: int, folder: Path) -> None:
        await self.open.wait()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.stored.append(step)


async def test_finish_waits_until_the_last_one_is_safe() -> None:
    catalog, published = Catalog(), list[int]()
    async with CheckpointPublisher(catalog.store) as publisher:
        publisher.add(10, Path("a"), published.append)
        catalog.open.set()
        await publisher.finish()
    assert catalog.stored == published == [10]


async def test_one_that_became_old_while_another_was_sent_is_left_out() -> None:
    catalog, published = Catalog(), list[int]()
    async with CheckpointPublisher(catalog.store) as publisher:
        publisher.add(10, Path("a"), published.append)
        await asyncio.sleep(0)  # let it begin with the first
        publisher.add(20, Path("b"), published.append)
        publisher.add(30, Path("c"), published.append)
        catalog.open.set()
        await publisher.finish()
    assert published[-1] == 30
    assert 20 not in catalog.stored


async def test_a_store_that_is_down_costs_a_checkpoint_and_not_the_training() -> None:
    catalog, published = Catalog(), list[int]()
    catalog.open.set()
    catalog.error = AttemptFailed(FailureClass.STORAGE, "down")
    async with CheckpointPublisher(catalog.store) as publisher:
        publisher.add(10, Path("a"), published.append)
        await publisher.finish()
        publisher.add(20, Path("b"), published.append)
        await publisher.finish()
    assert published == [20]


async def test_a_newer_attempt_ends_it() -> None:
    catalog = Catalog()
    catalog.open.set()
    catalog.error = AttemptStopped()
    async with CheckpointPublisher(catalog.store) as publisher:
        publisher.add(10, Path("a"), lambda step: None)
        with pytest.raises(AttemptStopped):
            await publisher.finish()
