"""Streams that are taken up again where they broke off, against a server that breaks them off."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2_grpc
from modelyard.sdk import Client
from modelyard.sdk.errors import NotFound, Unavailable

State = job_pb2.Job.State


class Breaking(job_service_pb2_grpc.JobServiceServicer):
    """Ends every stream after two answers, until there is nothing left to tell."""

    def __init__(self) -> None:
        self.states = [State.STATE_QUEUED, State.STATE_PREPARING, State.STATE_RUNNING, State.STATE_SUCCEEDED]
        self.lines = ["one", "two", "three", "four", "five"]
        self.calls = 0

    async def WatchJob(self, request: Any, context: Any) -> AsyncIterator[job_pb2.Job]:
        self.calls += 1
        if request.name.endswith("/gone"):
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such job")
        for _ in range(2):
            yield job_pb2.Job(name=request.name, state=self.states[0])
            if len(self.states) == 1:
                return
            del self.states[0]
        await context.abort(grpc.StatusCode.UNAVAILABLE, "this server is stopping")

    async def StreamLogs(self, request: Any, context: Any) -> AsyncIterator[job_pb2.LogEntry]:
        self.calls += 1
        for number, text in list(enumerate(self.lines, 1))[request.cursor :][:2]:
            yield job_pb2.LogEntry(cursor=number, text=text)
        if request.cursor + 2 < len(self.lines):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this server is stopping")


@pytest.fixture
async def jobs(tmp_path: Path) -> AsyncIterator[Breaking]:
    server, jobs = grpc.aio.server(), Breaking()  # type: ignore[abstract]
    job_service_pb2_grpc.add_JobServiceServicer_to_server(jobs, server)
    server.add_insecure_port(f"unix:{tmp_path}/jobs.sock")
    await server.start()
    yield jobs
    await server.stop(0)


async def test_a_job_is_watched_to_its_end_over_broken_streams(jobs: Breaking, tmp_path: Path) -> None:
    with Client(f"unix:{tmp_path}/jobs.sock", token="t") as client:
        seen = await asyncio.to_thread(lambda: [job.state for job in client.jobs.watch("j")])
    assert seen[-1] == State.STATE_SUCCEEDED
    assert jobs.calls == 2


async def test_no_log_line_is_lost_or_told_twice(jobs: Breaking, tmp_path: Path) -> None:
    with Client(f"unix:{tmp_path}/jobs.sock", token="t") as client:
        seen = await asyncio.to_thread(lambda: [entry.text for entry in client.jobs.logs("j", follow=True)])
    assert seen == jobs.lines
    assert jobs.calls == 3


async def test_other_failures_end_it(jobs: Breaking, tmp_path: Path) -> None:
    with Client(f"unix:{tmp_path}/jobs.sock", token="t") as client, pytest.raises(NotFound):
        await asyncio.to_thread(list, client.jobs.watch("gone"))
    assert jobs.calls == 1


async def test_where_nothing_has_answered_yet_nobody_waits(tmp_path: Path) -> None:
    server = f"unix:{tmp_path}/nobody.sock"
    with Client(server, token="t") as client, pytest.raises(Unavailable, match=r"^nothing answers at") as refused:
        await asyncio.wait_for(asyncio.to_thread(list, client.jobs.watch("j")), 20)
    assert refused.value.reason == "SERVER_UNREACHABLE"
    assert server in refused.value.message
