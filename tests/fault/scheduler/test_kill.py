"""kill -9 of the scheduler, again and again, while workers work and people submit: nothing lost, nothing done twice."""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from modelyard.api.catalog.v1 import execution_pb2
from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from modelyard.foundation.auth.credentials import FixedToken
from modelyard.foundation.config import ChannelSettings, SqlSettings
from modelyard.foundation.rpc.channel import connect
from tests.support.dataset_catalog import PROJECT, DatasetCatalog, running_dataset_catalog
from tests.support.eventually import eventually
from tests.support.scheduling import create_request, scheduler_settings
from tests.support.scripted_worker import ScriptedWorker
from tests.support.servers import Issuers

pytestmark = pytest.mark.timeout(240)

State = job_pb2.Job.State
WORKERS = 4
SOAK = (pytest.mark.soak, pytest.mark.timeout(900))
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)


class Process:
    """The scheduler as `modelyard up` starts it."""

    def __init__(self, folder: Path, catalog: str) -> None:
        self._folder = folder
        self.target = f"unix:{folder}/scheduler.sock"
        self._arguments = [
            f"--server.listen={self.target}",
            f"--identity.trust_file={folder}/trust.json",
            f"--identity.token_file={folder}/scheduler.token",
            f"--signing_key_file={folder}/scheduler.key",
            f"--sql.url=sqlite:///{folder}/scheduler.sqlite",
            f"--catalog.target={catalog}",
            "--attempts.backoff_s=0.5",
        ]
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with (self._folder / "scheduler.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "modelyard.scheduler", *self._arguments, stderr=log
            )

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def calling(target: str, token: str) -> AsyncIterator[grpc.aio.Channel]:
    async with connect(ChannelSettings(target=target), credentials=FixedToken(token)) as channel:
        yield channel


class Workplace:
    """Workers that go on whatever happens to the scheduler, and count what they did."""

    def __init__(self, process: Process, issuers: Issuers) -> None:
        self.process = process
        self.issuers = issuers
        self.published: Counter[str] = Counter()
        """By job: how many attempts said success and were believed."""
        self.done = asyncio.Event()

    async def work(self, name: str) -> None:
        token = self.issuers.token("worker", subject=f"workers/{name}")
        async with calling(self.process.target, token) as channel:
            worker = ScriptedWorker(channel, name, instance=f"instance-of-{name}")
            while not self.done.is_set():
                answer = await self.until_answered(lambda: worker.sync(1.0))
                for stop in answer.stops:
                    worker.runs.pop(stop.attempt, None)
                for one in answer.assignments:
                    if one.attempt not in worker.runs:
                        worker.runs[one.attempt] = job_pb2.Attempt.STATE_PREPARING
                        await self.carry_out(worker, one.attempt)

    async def carry_out(self, worker: ScriptedWorker, attempt: str) -> None:
        await self.until_answered(worker.sync)
        try:
            await self.until_answered(lambda: worker.run(attempt, logs=[job_pb2.LogEntry(text=attempt)]))
            await asyncio.sleep(random.uniform(0.0, 0.3))
            await self.until_answered(lambda: worker.complete(attempt))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ABORTED:
                raise
            worker.runs.pop(attempt, None)
        else:
            self.published[attempt.split("/attempts/")[0]] += 1

    async def until_answered(self, call: Any) -> Any:
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                if error.code() not in AWAY:
                    raise
                await asyncio.sleep(0.1)

    async def submit(self, number: int, within_s: float) -> str:
        async with calling(self.process.target, self.issuers.token()) as channel:
            stub: Any = job_service_pb2_grpc.JobServiceStub(channel)
            await asyncio.sleep(random.uniform(0.0, within_s))
            request = create_request(request_id=f"request-{number}")
            job = await self.until_answered(lambda: stub.CreateJob(request))
            return str(job.name)


@pytest.mark.parametrize(("jobs", "kills"), [(20, 3), pytest.param(200, 30, marks=SOAK)])
async def test_a_scheduler_that_is_killed_again_and_again_loses_nothing(
    tmp_path: Path, issuers: Issuers, jobs: int, kills: int
) -> None:
    async with running_dataset_catalog(tmp_path) as catalog:
        process = Process(tmp_path, catalog.target)
        scheduler_settings(tmp_path, SqlSettings(url=SecretStr("sqlite:///unused")), catalog.target, issuers)
        await process.start()
        workplace = Workplace(process, issuers)
        workers = [asyncio.create_task(workplace.work(f"w{number}")) for number in range(WORKERS)]
        submitting = [asyncio.create_task(workplace.submit(number, within_s=kills)) for number in range(jobs)]
        try:
            for _ in range(kills):
                await asyncio.sleep(random.uniform(1.0, 2.5))
                await process.kill()
                await process.start()
            names = await asyncio.gather(*submitting)
            await check(workplace, catalog, names)
        finally:
            workplace.done.set()
            await asyncio.wait([*workers, *submitting])
            await process.kill()
        for worker in workers:
            worker.result()


async def check(workplace: Workplace, catalog: DatasetCatalog, names: list[str]) -> None:
    async with calling(workplace.process.target, workplace.issuers.token()) as channel:
        stub: Any = job_service_pb2_grpc.JobServiceStub(channel)

        async def all_ended() -> list[job_pb2.Job]:
            request = job_service_pb2.ListJobsRequest(parent=PROJECT, page_size=1000)
            jobs = list((await workplace.until_answered(lambda: stub.ListJobs(request))).jobs)
            assert {job.state for job in jobs} == {State.STATE_SUCCEEDED}
            return jobs

        jobs = await eventually(all_ended, timeout_s=60, interval_s=0.2)
    assert len(set(names)) == len(names)
    # A call that never got its answer may have made a job of its own; its retry was answered with that one.
    assert {job.name for job in jobs} == set(names)
    assert all(workplace.published[name] == 1 for name in names)
    # Their workers were there all the time, so no attempt was lost.
    assert {job.attempt for job in jobs} == {1}
    ended = execution_pb2.Execution.STATE_SUCCEEDED
    await eventually(lambda: all(catalog.executions[name].state == ended for name in names), timeout_s=30)
    left = [name for name, one in catalog.executions.items() if one.state == execution_pb2.Execution.STATE_OPEN]
    assert not left


async def test_sigterm_ends_it_cleanly_while_a_worker_is_parked(tmp_path: Path, issuers: Issuers) -> None:
    async with running_dataset_catalog(tmp_path) as catalog:
        process = Process(tmp_path, catalog.target)
        scheduler_settings(tmp_path, SqlSettings(url=SecretStr("sqlite:///unused")), catalog.target, issuers)
        await process.start()
        token = issuers.token("worker", subject="workers/w")
        async with calling(process.target, token) as channel:
            worker = ScriptedWorker(channel)
            await Workplace(process, issuers).until_answered(worker.sync)
            parked = asyncio.create_task(worker.sync(10.0))
            await asyncio.sleep(1.5)
            assert process.process is not None
            process.process.terminate()
            assert (await asyncio.wait_for(parked, 5)).cursor
            assert await asyncio.wait_for(process.process.wait(), 10) == os.EX_OK
