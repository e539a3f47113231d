"""What it costs to create a job: `python -m tests.bench.submit`.

    submits/s     CreateJob over gRPC (token, role, validation, two calls of the catalog, request_id, audit), 32 in
                  flight, against a bare loop of the same durable commits: the same rows, two transactions a job, one
                  after the other, through the same database layer, on the same disk
    to PREPARING  from the call of CreateJob until an idle worker's acknowledgement is stored

Interleaved pairs; medians, with the smallest and the largest in brackets. The catalog is a process of its own that
answers from memory, so that only the scheduler is measured.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from pydantic import SecretStr

from modelyard.api.scheduler.v1 import job_service_pb2_grpc
from modelyard.foundation.auth.credentials import FixedToken
from modelyard.foundation.config import ChannelSettings, SqlSettings
from modelyard.foundation.ids import new_uid
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import migrate
from modelyard.scheduler.adapters.sql.jobs import SqlJobs
from modelyard.scheduler.adapters.sql.journal import SqlJournal
from modelyard.scheduler.domain.decisions import JobChanged
from modelyard.scheduler.domain.records import JobSpec
from modelyard.scheduler.runtime import MIGRATIONS
from modelyard.scheduler.service.ports import Admitted, Audit, Draft, RequestKey, Written
from modelyard.templates.specs import get_template
from tests.bench.rows import Row, at_least_times, at_most
from tests.support.dataset_catalog import PROJECT, VERSION, running_dataset_catalog
from tests.support.scheduling import create_request, scheduler_settings
from tests.support.scripted_worker import ScriptedWorker
from tests.support.servers import Issuers

RATIO_TARGET = 0.5
PREPARING_TARGET_MS = 150.0
IN_FLIGHT, JOBS, ACKNOWLEDGED = 32, 600, 15


async def measure(pairs: int) -> list[Row]:
    """Submits a second, and milliseconds to PREPARING."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder, issuers = Path(name), Issuers()
        async with running(folder, issuers) as target:
            ours: list[float] = []
            floor: list[float] = []
            for pair in range(pairs):
                floor.append(await bare(folder / f"bare{pair}"))
                ours.append(await submits(target, issuers, pair))
            waits = await acknowledged(target, issuers)
    return [
        Row("submits", ours, "/s", floor, "the same commits, bare", at_least_times(RATIO_TARGET)),
        Row("submit to PREPARING", waits, "ms", target=at_most(PREPARING_TARGET_MS, " ms")),
    ]


async def submits(target: str, issuers: Issuers, pair: int) -> float:
    """Jobs a second."""
    left = iter(range(JOBS))
    async with calling(target, issuers.token("editor", "p")) as channel:
        stub: Any = job_service_pb2_grpc.JobServiceStub(channel)

        async def caller() -> None:
            for number in left:
                await stub.CreateJob(create_request(request_id=f"{pair}-{number}", devices=TPU))

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
        return JOBS / (time.perf_counter() - began)


TPU: Any = {"kind": 3, "count": 1}
"""What no worker here has: the jobs stay in the queue."""


async def bare(folder: Path) -> float:
    """The same rows in the same transactions, and nothing else."""
    database = Database(SqlSettings(url=SecretStr(f"sqlite:///{folder}/bare.sqlite")))
    await migrate(database, MIGRATIONS)
    rows, journal = SqlJobs(database), SqlJournal(database)
    await journal.take_over()
    parameters = get_template("image-classification").complete({})
    model = f"{PROJECT}/models/digits-image-classification"
    spec = JobSpec("image-classification", VERSION, parameters=parameters, model=model)
    began = time.perf_counter()
    for number in range(JOBS):
        name = f"{PROJECT}/jobs/job-{number}"
        draft = Draft(name, new_uid(), spec, "tokens/test", "", {})
        key = RequestKey(f"request-{number}", "tokens/test", "CreateJob", b"x" * 200)
        opened = await rows.open(draft, key, Audit("tokens/test", "t", "CreateJob", name, key.request_id))
        job = opened.record.fresh()
        admitted = Admitted(name, replace(spec, dataset_digest="sha256:1"))

        written = Written(None, [JobChanged(job, None)], [admitted])
        await journal.commit(partial(always, written))
    seconds = time.perf_counter() - began
    database.close()
    return JOBS / seconds


def always(written: Written[None], now: datetime) -> Written[None]:
    return written


async def acknowledged(target: str, issuers: Issuers) -> list[float]:
    """Milliseconds from CreateJob to PREPARING, one job after the other."""
    waits: list[float] = []
    token = issuers.token("worker", subject="workers/w")
    async with calling(target, issuers.token()) as channel, calling(target, token) as line:
        stub: Any = job_service_pb2_grpc.JobServiceStub(channel)
        worker = ScriptedWorker(line)
        await worker.sync()
        for _ in range(ACKNOWLEDGED):
            parked = asyncio.create_task(worker.take())
            await asyncio.sleep(0.3)  # the worker is idle, its call is parked
            began = time.perf_counter()
            await stub.CreateJob(create_request())
            assignment = await parked
            waits.append((time.perf_counter() - began) * 1000)
            await worker.complete(assignment.attempt)
            await worker.sync()
    return waits


@asynccontextmanager
async def running(folder: Path, issuers: Issuers) -> AsyncIterator[str]:
    """The scheduler and a catalog, each in a process of its own."""
    target = f"unix:{folder}/scheduler.sock"
    sql = SqlSettings(url=SecretStr(f"sqlite:///{folder}/scheduler.sqlite"))
    scheduler_settings(folder, sql, f"unix:{folder}/catalog.sock", issuers)
    catalog = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.submit", "--catalog", str(folder))
    scheduler = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "modelyard.scheduler",
        f"--server.listen={target}",
        f"--identity.trust_file={folder}/trust.json",
        f"--identity.token_file={folder}/scheduler.token",
        f"--signing_key_file={folder}/scheduler.key",
        f"--sql.url=sqlite:///{folder}/scheduler.sqlite",
        f"--catalog.target=unix:{folder}/catalog.sock",
        "--log.level=warning",
    )
    try:
        for address in (f"unix:{folder}/catalog.sock", target):
            async with calling(address, "") as channel:
                await asyncio.wait_for(channel.channel_ready(), 30)
        yield target
    finally:
        for child in (scheduler, catalog):
            child.terminate()
            await child.wait()


async def serve_catalog(folder: Path) -> None:
    async with running_dataset_catalog(folder):
        await asyncio.Event().wait()


@asynccontextmanager
async def calling(target: str, token: str) -> AsyncIterator[grpc.aio.Channel]:
    async with connect(ChannelSettings(target=target), credentials=FixedToken(token)) as channel:
        yield channel


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--catalog", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.catalog:
        asyncio.run(serve_catalog(arguments.catalog))
        return 0
    rows = asyncio.run(measure(arguments.pairs))
    print(f"submit, SQLite, {os.cpu_count()} cores, {arguments.pairs} pairs of {JOBS} jobs")
    print("\n".join(row.line() for row in rows))
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
