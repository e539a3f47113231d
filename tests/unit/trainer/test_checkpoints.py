"""Checkpoints are published one at a time, the newest first, and a store that is away costs none of them for good."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from modelyard.trainer.checkpoints import CheckpointPublisher
from modelyard.trainer.domain import AttemptFailed, AttemptStopped, FailureClass
from tests.support.eventually import eventually

DOWN = AttemptFailed(FailureClass.STORAGE, "the store is down")


class Job:
    """Stores checkpoints once it is allowed to, and remembers what it was told."""

    def __init__(self) -> None:
        self.stored: list[int] = []
        self.tried: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.errors: list[Exception] = []
        self.published: list[int] = []
        self.replaced = False
        self.said: list[str] = []

    async def store(self, step: int, folder: Path) -> None:
        self.tried.append(step)
        await self.open.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.stored.append(step)

    def give_up(self) -> None:
        self.replaced = True

    @asynccontextmanager
    async def publishing(self, retry_s: float = 0.01) -> AsyncIterator[CheckpointPublisher]:
        async with CheckpointPublisher(self.store, self.give_up, self.said.append, retry_s) as publisher:
            yield publisher


async def test_finish_waits_until_the_last_one_is_safe() -> None:
    job = Job()
    job.open.clear()
    async with job.publishing() as publisher:
        publisher.add(10, Path("a"), job.published.append)
        job.open.set()
        await publisher.finish(5)
    assert job.stored == job.published == [10]


async def test_finish_has_nothing_to_wait_for_when_there_was_none() -> None:
    async with Job().publishing() as publisher:
        await publisher.finish(5)


async def test_one_that_became_old_while_another_was_sent_is_left_out() -> None:
    job = Job()
    job.open.clear()
    async with job.publishing() as publisher:
        publisher.add(10, Path("a"), job.published.append)
        await eventually(lambda: job.tried == [10])
        publisher.add(20, Path("b"), job.published.append)
        publisher.add(30, Path("c"), job.published.append)
        job.open.set()
        await publisher.finish(5)
    assert job.published == [10, 30]


async def test_one_that_cannot_be_stored_is_tried_until_it_is() -> None:
    job = Job()
    job.errors = [DOWN, DOWN, DOWN]
    async with job.publishing() as publisher:
        publisher.add(10, Path("a"), job.published.append)
        await publisher.finish(5)
    assert job.tried == [10, 10, 10, 10]
    assert job.published == [10]
    assert "step 10" in job.said[0]
    assert DOWN.message in job.said[0]


async def test_a_newer_one_takes_its_place_at_once() -> None:
    job = Job()
    job.errors = [DOWN]
    async with job.publishing(retry_s=60) as publisher:
        publisher.add(10, Path("a"), job.published.append)
        await eventually(lambda: bool(job.said))
        publisher.add(20, Path("b"), job.published.append)
        await publisher.finish(5)
    assert job.tried == [10, 20]
    assert job.published == [20]


async def test_finish_ends_when_its_patience_does() -> None:
    job = Job()
    job.open.clear()
    async with job.publishing() as publisher:
        publisher.add(10, Path("a"), job.published.append)
        await publisher.finish(0.05)
    assert job.published == []


async def test_one_that_is_gone_from_the_disk_is_left_out() -> None:
    job = Job()
    job.errors = [FileNotFoundError("gone")]
    async with job.publishing() as publisher:
        publisher.add(10, Path("a"), job.published.append)
        await publisher.finish(5)
        publisher.add(20, Path("b"), job.published.append)
        await publisher.finish(5)
    assert job.published == [20]


async def test_a_newer_attempt_ends_this_one_at_once() -> None:
    job = Job()
    job.errors = [AttemptStopped()]
    async with job.publishing() as publisher:
        publisher.add(10, Path("a"), job.published.append)
        await eventually(lambda: job.replaced)
