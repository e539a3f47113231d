"""A catalog from dictionaries over real gRPC, for tests of the scheduler."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
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

PROJECT = "projects/p"
DATASET = f"{PROJECT}/datasets/digits"
VERSION = f"{DATASET}/versions/1"
PACKAGE = f"{PROJECT}/packages/mine"
MODEL_VERSION = f"{PROJECT}/models/m/versions/3"


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


async def _abort(context: Any, code: grpc.StatusCode, message: str, reason: str, resource: str = "") -> None:
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    if resource:
        status.details.add().Pack(error_details_pb2.ResourceInfo(resource_name=resource))
    await context.abort(code, message, (("grpc-status-details-bin", status.SerializeToString()),))
