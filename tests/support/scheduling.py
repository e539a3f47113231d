"""A scheduler over real gRPC, with a catalog from dictionaries beside it and workers that do what a test says."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives import serialization
from google.protobuf.empty_pb2 import Empty
from google.rpc import error_details_pb2, status_pb2

from modelyard.api.catalog.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    execution_pb2,
    lineage_service_pb2,
    lineage_service_pb2_grpc,
    model_pb2,
    model_service_pb2_grpc,
    package_service_pb2,
    package_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from modelyard.api.scheduler.v1 import (
    device_pb2,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    worker_service_pb2_grpc,
    worker_sync_service_pb2,
    worker_sync_service_pb2_grpc,
)
from modelyard.foundation.auth.trust import write_trust
from modelyard.foundation.config import SqlSettings
from modelyard.scheduler.runtime import Running, running
from modelyard.scheduler.settings import SchedulerSettings
from modelyard.templates.specs import Kind, list_templates
from tests.support.servers import Issuers, Served

PROJECT = "projects/p"
DATASET = f"{PROJECT}/datasets/digits"
VERSION = f"{DATASET}/versions/1"
PACKAGE = f"{PROJECT}/packages/mine"
MODEL_VERSION = f"{PROJECT}/models/m/versions/3"
CPU = device_pb2.Device(kind=device_pb2.DEVICE_KIND_CPU, index=0)


@dataclass
class DatasetCatalog(
    dataset_service_pb2_grpc.DatasetServiceServicer,
    lineage_service_pb2_grpc.LineageServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
    package_service_pb2_grpc.PackageServiceServicer,
    token_service_pb2_grpc.TokenServiceServicer,
):
    """What the scheduler calls of a catalog with `digits@1` and model `m@3`; for jobs it behaves as the real one."""

    modality: str = "image"
    executions: dict[str, execution_pb2.Execution] = field(default_factory=dict)
    refuse: list[grpc.StatusCode] = field(default_factory=list)
    """Calls of LineageService to be answered with these codes first."""
    target: str = ""
    packages: dict[str, package_service_pb2.PackageSpec] = field(default_factory=dict)
    """The only version of each, by the package's name."""
    model_state: model_pb2.ModelVersion.State.ValueType = model_pb2.ModelVersion.STATE_READY
    model_signatures: list[model_pb2.Signature] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    """Versions that BeginExecution does not find any more."""
    freed: list[str] = field(default_factory=list)
    """Jobs whose files were to be deleted, as often as it was said."""
    silent: bool = False
    """It does what DeleteJobFiles says and never answers."""
    unprofiled: list[dataset_pb2.DatasetVersion] = field(default_factory=list)
    """Dataset versions that no job profiles; they exist, and do not describe themselves."""
    profile_jobs: dict[str, str] = field(default_factory=dict)
    """Jobs by the version that they profile."""
    begun: list[lineage_service_pb2.BeginExecutionRequest] = field(default_factory=list)
    ended: list[lineage_service_pb2.EndExecutionRequest] = field(default_factory=list)

    def add_package(self, name: str = PACKAGE, *modules: str, toml: str = "", number: int = 1) -> str:
        version = f"{name}/versions/{number}"
        self.packages[name] = package_service_pb2.PackageSpec(
            package_version=version, digest="sha256:2", template_toml=toml, modules=modules or ("train",)
        )
        return version

    async def GetPackageSpec(self, request: Any, context: Any) -> package_service_pb2.PackageSpec:
        spec = self.packages.get(request.name.partition("/versions/")[0])
        if spec is None or request.name not in (spec.package_version, f"{request.name.rpartition('/')[0]}/latest"):
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist", "NOT_FOUND")
            raise AssertionError
        return spec

    async def GetModelVersion(self, request: Any, context: Any) -> model_pb2.ModelVersion:
        if request.name not in (MODEL_VERSION, f"{PROJECT}/models/m/versions/latest"):
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist", "NOT_FOUND")
        info = model_pb2.ModelInfo(signatures=self.model_signatures)
        return model_pb2.ModelVersion(name=MODEL_VERSION, digest="sha256:3", state=self.model_state, info=info)

    async def GetInputSpec(self, request: Any, context: Any) -> dataset_pb2.InputSpec:
        if request.name not in (VERSION, f"{DATASET}/versions/latest"):
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist", "NOT_FOUND")
        kind, role = dataset_pb2.Feature.Kind, dataset_pb2.Feature.Role
        return dataset_pb2.InputSpec(
            layout="class_folders",
            modality=self.modality,
            features=[
                dataset_pb2.Feature(
                    name=self.modality, kind=kind.Value(f"KIND_{self.modality.upper()}"), role=role.ROLE_INPUT
                ),
                dataset_pb2.Feature(name="label", kind=kind.KIND_CATEGORY, role=role.ROLE_TARGET),
            ],
            splits=[dataset_pb2.Split(name=name, example_count=10) for name in ("train", "test")],
            dataset_version=VERSION,
        )

    async def GetDatasetVersion(self, request: Any, context: Any) -> dataset_pb2.DatasetVersion:
        known = {version.name: version for version in self.unprofiled}
        known |= dict.fromkeys((VERSION, f"{DATASET}/versions/latest"), dataset_pb2.DatasetVersion(name=VERSION))
        if request.name not in known or request.name in self.gone:
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist", "NOT_FOUND")
        return known[request.name]

    async def ListUnprofiledVersions(
        self, request: Any, context: Any
    ) -> dataset_service_pb2.ListUnprofiledVersionsResponse:
        fresh = [version for version in self.unprofiled if version.name not in self.profile_jobs]
        return dataset_service_pb2.ListUnprofiledVersionsResponse(dataset_versions=fresh[: request.page_size])

    async def SetProfileJob(self, request: Any, context: Any) -> Empty:
        await self._refuse(context)
        self.profile_jobs[request.name] = request.job
        return Empty()

    async def BeginExecution(self, request: Any, context: Any) -> execution_pb2.Execution:
        await self._refuse(context)
        self.begun.append(request)
        known = self.executions.get(request.consumer)
        if known is None:
            for name in self.gone.intersection(request.inputs):
                await _abort(context, grpc.StatusCode.NOT_FOUND, f"{name} does not exist", "NOT_FOUND", name)
            digests = {"datasets": "sha256:1", "packages": "sha256:2", "models": "sha256:3"}
            inputs = [
                execution_pb2.VersionRef(name=name, digest=digests[name.split("/")[2]]) for name in request.inputs
            ]
            known = execution_pb2.Execution(
                consumer=request.consumer, inputs=inputs, state=execution_pb2.Execution.STATE_OPEN
            )
            self.executions[request.consumer] = known
        elif known.state != execution_pb2.Execution.STATE_OPEN:
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, "it has ended", "EXECUTION_ENDED")
        return known

    async def EndExecution(self, request: Any, context: Any) -> execution_pb2.Execution:
        await self._refuse(context)
        known = self.executions.get(request.consumer)
        if known is None:
            await _abort(context, grpc.StatusCode.NOT_FOUND, "there is none", "NOT_FOUND")
            raise AssertionError
        self.ended.append(request)
        known.state = request.outcome
        known.attempt = request.attempt
        return known

    async def DeleteJobFiles(self, request: Any, context: Any) -> Empty:
        await self._refuse(context)
        known = self.executions.get(request.parent)
        if known is not None and known.state == execution_pb2.Execution.STATE_OPEN:
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, "it is open", "EXECUTION_OPEN")
        self.freed.append(request.parent)
        if self.silent:
            await asyncio.Event().wait()
        return Empty()

    async def ListRevocations(self, request: Any, context: Any) -> token_service_pb2.ListRevocationsResponse:
        return token_service_pb2.ListRevocationsResponse(cursor="1")

    async def _refuse(self, context: Any) -> None:
        if self.refuse:
            await _abort(context, self.refuse.pop(0), "not now", "NOT_NOW")


@asynccontextmanager
async def running_dataset_catalog(folder: Path) -> AsyncIterator[DatasetCatalog]:
    catalog = DatasetCatalog(target=f"unix:{folder}/catalog.sock")  # type: ignore[abstract]
    server = grpc.aio.server()
    dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server(catalog, server)
    lineage_service_pb2_grpc.add_LineageServiceServicer_to_server(catalog, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(catalog, server)
    package_service_pb2_grpc.add_PackageServiceServicer_to_server(catalog, server)
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(catalog, server)
    server.add_insecure_port(catalog.target)
    await server.start()
    try:
        yield catalog
    finally:
        await server.stop(0)


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


class ScriptedWorker:
    """Syncs, reports and completes when it is told to, as a real worker would."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        name: str = "w",
        *,
        instance: str = "instance-1",
        devices: Sequence[device_pb2.Device] = (CPU,),
    ) -> None:
        self.stub: Any = worker_sync_service_pb2_grpc.WorkerSyncServiceStub(channel)
        self.name = f"workers/{name}"
        self.instance = instance
        self.devices = devices
        self.runs: dict[str, job_pb2.Attempt.State.ValueType] = {}
        self.cursor = ""
        self._sequence = 0

    async def sync(self, wait_s: float = 0.0, *, draining: bool = False) -> worker_sync_service_pb2.SyncResponse:
        request = worker_sync_service_pb2.SyncRequest(
            worker=self.name,
            instance_id=self.instance,
            devices=self.devices,
            attempts=[worker_sync_service_pb2.RunningAttempt(name=n, state=s) for n, s in self.runs.items()],
            draining=draining,
            hostname="host",
            version="0",
            tensorflow_version="2",
            cursor=self.cursor,
        )
        request.max_wait.FromMilliseconds(int(wait_s * 1000))
        answer: worker_sync_service_pb2.SyncResponse = await self.stub.Sync(request)
        self.cursor = answer.cursor
        return answer

    async def take(self) -> worker_sync_service_pb2.Assignment:
        """Waits for an assignment and acknowledges it."""
        answer = await self.sync(10.0)
        while not (new := [one for one in answer.assignments if one.attempt not in self.runs]):
            answer = await self.sync(10.0)
        self.runs[new[0].attempt] = job_pb2.Attempt.STATE_PREPARING
        await self.sync()
        return new[0]

    async def run(self, attempt: str, **fields: Any) -> None:
        """The first training step has begun."""
        self.runs[attempt] = job_pb2.Attempt.STATE_RUNNING
        await self.report(attempt, state=job_pb2.Attempt.STATE_RUNNING, **fields)

    async def report(self, attempt: str, *, sequence: int | None = None, **fields: Any) -> None:
        self._sequence += 1
        number = self._sequence if sequence is None else sequence
        await self.stub.Report(worker_sync_service_pb2.ReportRequest(attempt=attempt, sequence=number, **fields))

    async def complete(
        self,
        attempt: str,
        outcome: job_pb2.Attempt.State.ValueType = job_pb2.Attempt.STATE_SUCCEEDED,
        **fields: Any,
    ) -> None:
        """With SUCCEEDED and nothing else, an attempt of `create_request` has made its model version."""
        if outcome == job_pb2.Attempt.STATE_SUCCEEDED and not fields:
            fields = {"model_version": f"{PROJECT}/models/digits-image-classification/versions/1"}
        await self.stub.CompleteAttempt(
            worker_sync_service_pb2.CompleteAttemptRequest(attempt=attempt, outcome=outcome, **fields)
        )
        self.runs.pop(attempt, None)


async def _abort(context: Any, code: grpc.StatusCode, message: str, reason: str, resource: str = "") -> None:
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    if resource:
        status.details.add().Pack(error_details_pb2.ResourceInfo(resource_name=resource))
    await context.abort(code, message, (("grpc-status-details-bin", status.SerializeToString()),))
