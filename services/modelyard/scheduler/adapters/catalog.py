"""The catalog, called with the scheduler's own token."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

import grpc

from modelyard.api.catalog.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    execution_pb2,
    lineage_service_pb2,
    lineage_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
    package_service_pb2,
    package_service_pb2_grpc,
)
from modelyard.foundation.auth.credentials import Credentials
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.errors import DeadlineExceeded, Kind, ModelyardError, Unavailable
from modelyard.foundation.ids import project_of
from modelyard.foundation.rpc.channel import connect, retriable
from modelyard.foundation.rpc.status import failure_of, to_error
from modelyard.scheduler.domain.jobs import JobState
from modelyard.scheduler.service.ports import Dataset, Model, Package, Unprofiled, Unsettled
from modelyard.templates.fitting import Input
from modelyard.templates.needs import DataSeen, FeatureSeen

T = TypeVar("T")

TIMEOUT_S = 5.0

_OUTCOMES = {
    JobState.SUCCEEDED: execution_pb2.Execution.STATE_SUCCEEDED,
    JobState.FAILED: execution_pb2.Execution.STATE_FAILED,
    JobState.CANCELLED: execution_pb2.Execution.STATE_CANCELLED,
    JobState.EXPIRED: execution_pb2.Execution.STATE_CANCELLED,
}
_ANSWERS = frozenset({Kind.INVALID, Kind.NOT_FOUND, Kind.EXISTS, Kind.PRECONDITION, Kind.CONFLICT})
"""Refusals that say what is so; after any other failure nobody knows."""


def connect_catalog(settings: ChannelSettings, credentials: Credentials) -> grpc.aio.Channel:
    retry = retriable(
        dataset_service_pb2.DESCRIPTOR,
        model_service_pb2.DESCRIPTOR,
        package_service_pb2.DESCRIPTOR,
        lineage_service_pb2.DESCRIPTOR,
        also=("BeginExecution", "EndExecution", "DeleteJobFiles", "SetProfileJob"),
    )
    return connect(settings, credentials=credentials, retry=retry)


class GrpcCatalog:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._datasets = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)
        self._packages = package_service_pb2_grpc.PackageServiceStub(channel)
        self._lineage = lineage_service_pb2_grpc.LineageServiceStub(channel)

    async def dataset(self, version: str) -> Dataset:
        request = dataset_service_pb2.GetInputSpecRequest(name=version)
        spec: dataset_pb2.InputSpec = await _answer(self._datasets.GetInputSpec(request, timeout=TIMEOUT_S))
        return Dataset(spec.dataset_version, _data(spec))

    async def dataset_version(self, version: str) -> str:
        request = dataset_service_pb2.GetDatasetVersionRequest(name=version)
        found: dataset_pb2.DatasetVersion = await _answer(self._datasets.GetDatasetVersion(request, timeout=TIMEOUT_S))
        return found.name

    async def package(self, version: str) -> Package:
        request = package_service_pb2.GetPackageSpecRequest(name=version)
        spec: package_service_pb2.PackageSpec = await _answer(self._packages.GetPackageSpec(request, timeout=TIMEOUT_S))
        return Package(spec.package_version, spec.template_toml, tuple(spec.modules))

    async def model(self, version: str) -> Model:
        request = model_service_pb2.GetModelVersionRequest(name=version)
        found: model_pb2.ModelVersion = await _answer(self._models.GetModelVersion(request, timeout=TIMEOUT_S))
        state = model_pb2.ModelVersion.State.Name(found.state).removeprefix("STATE_")
        signatures = {each.name: _inputs(each) for each in found.info.signatures}
        return Model(found.name, state, signatures, {name: said.kind for name, said in found.info.inputs.items()})

    async def begin(self, job: str, inputs: Sequence[str], output_dataset: str, *, weak: bool) -> Mapping[str, str]:
        request = lineage_service_pb2.BeginExecutionRequest(
            parent=f"projects/{project_of(job)}",
            consumer=job,
            attempt=0,
            inputs=inputs,
            output_dataset=output_dataset,
            weak=weak,
        )
        execution: execution_pb2.Execution = await _settled(self._lineage.BeginExecution(request, timeout=TIMEOUT_S))
        return {held.name: held.digest for held in execution.inputs}

    async def end(self, job: str, attempt: int, outcome: JobState, message: str = "") -> bool:
        request = lineage_service_pb2.EndExecutionRequest(
            parent=f"projects/{project_of(job)}",
            consumer=job,
            attempt=attempt,
            outcome=_OUTCOMES[outcome],
            message=message,
        )
        try:
            await _settled(self._lineage.EndExecution(request, timeout=TIMEOUT_S))
        except ModelyardError as error:
            if error.kind is Kind.NOT_FOUND:
                return False
            raise
        return True

    async def unprofiled(self, limit: int) -> Sequence[Unprofiled]:
        request = dataset_service_pb2.ListUnprofiledVersionsRequest(page_size=limit)
        answer: dataset_service_pb2.ListUnprofiledVersionsResponse = await _answer(
            self._datasets.ListUnprofiledVersions(request, timeout=TIMEOUT_S)
        )
        return [Unprofiled(version.name, version.uid) for version in answer.dataset_versions]

    async def set_profile_job(self, version: str, job: str) -> None:
        request = dataset_service_pb2.SetProfileJobRequest(name=version, job=job)
        await _answer(self._datasets.SetProfileJob(request, timeout=TIMEOUT_S))

    async def delete_files(self, job: str) -> None:
        request = lineage_service_pb2.DeleteJobFilesRequest(parent=job)
        try:
            await _settled(self._lineage.DeleteJobFiles(request, timeout=TIMEOUT_S))
        except ModelyardError as error:
            if error.kind is not Kind.NOT_FOUND:  # the project is gone, and all its files with it
                raise


def _data(spec: dataset_pb2.InputSpec) -> DataSeen:
    _, _, _, name, _, number = spec.dataset_version.split("/")
    return DataSeen(
        f"{name}@{number}",
        spec.modality,
        spec.layout,
        tuple(split.name for split in spec.splits),
        tuple(
            FeatureSeen(
                feature.name,
                dataset_pb2.Feature.Kind.Name(feature.kind).removeprefix("KIND_").lower(),
                dataset_pb2.Feature.Role.Name(feature.role).removeprefix("ROLE_").lower(),
                tuple(feature.shape),
                feature.encoding,
            )
            for feature in spec.features
        ),
    )


def _inputs(signature: model_pb2.Signature) -> tuple[Input, ...]:
    return tuple(
        Input(spec.name, spec.dtype, None if spec.unknown_rank else tuple(spec.shape)) for spec in signature.inputs
    )


async def _settled(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        refusal = to_error(failure_of(error))
        if refusal.kind in _ANSWERS:
            raise refusal from error
        raise Unsettled(f"{error.code().name}: {error.details()}") from error


async def _answer(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise _passed_on(error) from error


def _passed_on(error: grpc.aio.AioRpcError) -> ModelyardError:
    """A refusal is the caller's business; a broken neighbour is not told apart from one that is away."""
    refusal = to_error(failure_of(error))
    if refusal.kind in _ANSWERS:
        return refusal
    if refusal.kind is Kind.DEADLINE:
        return DeadlineExceeded("the catalog did not answer in time; try again")
    return Unavailable("the catalog cannot be used right now; try again")
