"""A scheduler over real gRPC, with a catalog from dictionaries beside it and workers that do what a test says."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from modelyard.api.scheduler.v1 import (
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    worker_service_pb2_grpc,
)
from modelyard.foundation.auth.trust import write_trust
from modelyard.foundation.config import SqlSettings
from modelyard.scheduler.runtime import Running, running
from modelyard.scheduler.settings import SchedulerSettings
from modelyard.templates.specs import Kind, list_templates
from tests.support.dataset_catalog import PROJECT, VERSION, DatasetCatalog
from tests.support.scripted_worker import ScriptedWorker
from tests.support.servers import Issuers, Served


def scheduler_settings(
    folder: Path, sql: SqlSettings, catalog: str, issuers: Issuers, templates: Path | None = None, **attempts: float
) -> SchedulerSettings:
    """Keys and trust list are written to `folder`; `attempts` are settings of that section. Datasets get no profile
    jobs unless `templates` has a template of that kind."""
    trust, key, token = folder / "trust.json", folder / "scheduler.key", folder / "scheduler.token"
    if not trust.exists():
        write_trust(trust, issuers.trust)
        write_key(key, issuers)
        token.write_text(issuers.token("service", subject="services/scheduler"))
    return SchedulerSettings.model_validate(
        {
            "server": {"listen": f"unix:{folder}/scheduler.sock"},
            "identity": {"trust_file": str(trust), "token_file": str(token)},
            "signing_key_file": str(key),
            "sql": sql,
            "catalog": {"target": catalog},
            "attempts": attempts,
            "templates_folder": str(templates or shipped_templates(folder / "no-profiles", (Kind.PROFILE,))),
            "profiles": {"every_s": 0.1},
        }
    )


def templates_of_every_kind(folder: Path) -> Path:
    """The shipped templates, but `profile` is one that no worker could run."""
    shipped_templates(folder, without=(Kind.PROFILE,))
    lines = ['kind = "profile"', *(f'{key} = "profile"' for key in ("title", "summary", "task", "entry"))]
    (folder / "profile").mkdir()
    (folder / "profile" / "template.toml").write_text("\n".join(lines))
    return folder


def shipped_templates(folder: Path, without: Collection[Kind]) -> Path:
    """All that ship, but those of some kinds. Without the one of profiles, nobody but the test makes a job."""
    folder.mkdir(exist_ok=True)
    for shipped in list_templates():
        link = folder / shipped.name
        if shipped.kind not in without and not link.exists():
            link.symlink_to(shipped.folder)
    return folder


def write_key(path: Path, issuers: Issuers) -> None:
    pem = issuers.scheduler_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.touch(0o600)
    path.write_bytes(pem)


@dataclass(frozen=True)
class Scheduler:
    """A running scheduler, as its callers see it."""

    process: Running
    served: Served
    catalog: DatasetCatalog
    jobs: "job_service_pb2_grpc.JobServiceAsyncStub"
    workers: "worker_service_pb2_grpc.WorkerServiceAsyncStub"

    @asynccontextmanager
    async def worker(self, name: str = "w", **options: Any) -> AsyncIterator["ScriptedWorker"]:
        token = self.served.issuers.token("worker", subject=f"workers/{name}")
        async with self.served.channel(token) as channel:
            yield ScriptedWorker(channel, name, **options)

    async def submit(self, **fields: Any) -> job_pb2.Job:
        return await self.jobs.CreateJob(create_request(**fields))

    async def job(self, name: str) -> job_pb2.Job:
        return await self.jobs.GetJob(job_service_pb2.GetJobRequest(name=name))


@asynccontextmanager
async def running_scheduler(
    settings: SchedulerSettings, catalog: DatasetCatalog, issuers: Issuers
) -> AsyncIterator[Scheduler]:
    async with running(settings) as process:
        served = Served(process.server, process.server.address, issuers)
        try:
            async with served.channel() as channel:
                jobs = job_service_pb2_grpc.JobServiceStub(channel)
                workers = worker_service_pb2_grpc.WorkerServiceStub(channel)
                yield Scheduler(process, served, catalog, jobs, workers)
        finally:
            await process.server.stop(0)


def create_request(
    *, job_id: str = "", request_id: str = "", validate_only: bool = False, parent: str = PROJECT, **spec: Any
) -> job_service_pb2.CreateJobRequest:
    parameters = spec.pop("parameters", {})
    message = job_pb2.JobSpec(**{"template": "image-classification", "dataset_version": VERSION, **spec})
    message.parameters.update(parameters)
    return job_service_pb2.CreateJobRequest(
        parent=parent,
        job_id=job_id,
        request_id=request_id,
        validate_only=validate_only,
        job=job_pb2.Job(spec=message),
    )
