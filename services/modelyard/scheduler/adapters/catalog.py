"""The catalog, called with the scheduler's own token."""

from collections.abc import Awaitable
from typing import TypeVar

import grpc

from modelyard.api.catalog.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    execution_pb2,
    lineage_service_pb2,
    lineage_service_pb2_grpc,
)
from modelyard.foundation.auth.credentials import Credentials
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.errors import DeadlineExceeded, Kind, ModelyardError, Unavailable
from modelyard.foundation.ids import project_of
from modelyard.foundation.rpc.channel import connect, retriable
from modelyard.foundation.rpc.status import failure_of, to_error
from modelyard.scheduler.domain.jobs import JobState
from modelyard.scheduler.service.ports import Dataset, Unsettled

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
        dataset_service_pb2.DESCRIPTOR, lineage_service_pb2.DESCRIPTOR, also=("BeginExecution", "EndExecution")
    )
    return connect(settings, credentials=credentials, retry=retry)


class GrpcCatalog:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._datasets = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self._lineage = lineage_service_pb2_grpc.LineageServiceStub(channel)

    async def dataset(self, version: str) -> Dataset:
        request = dataset_service_pb2.GetInputSpecRequest(name=version)
        try:
            spec: dataset_pb2.InputSpec = await self._datasets.GetInputSpec(request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise _passed_on(error) from error
        return Dataset(spec.dataset_version, spec.modality, spec.layout, tuple(split.name for split in spec.splits))

    async def begin(self, job: str, dataset_version: str) -> tuple[str, str]:
        request = lineage_service_pb2.BeginExecutionRequest(
            parent=f"projects/{project_of(job)}", consumer=job, attempt=0, inputs=[dataset_version]
        )
        execution: execution_pb2.Execution = await _settled(self._lineage.BeginExecution(request, timeout=TIMEOUT_S))
        return execution.inputs[0].name, execution.inputs[0].digest

    async def end(self, job: str, attempt: int, outcome: JobState) -> bool:
        request = lineage_service_pb2.EndExecutionRequest(
            parent=f"projects/{project_of(job)}", consumer=job, attempt=attempt, outcome=_OUTCOMES[outcome]
        )
        try:
            await _settled(self._lineage.EndExecution(request, timeout=TIMEOUT_S))
        except ModelyardError as error:
            if error.kind is Kind.NOT_FOUND:
                return False
            raise
        return True


async def _settled(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        refusal = to_error(failure_of(error))
        if refusal.kind in _ANSWERS:
            raise refusal from error
        raise Unsettled(f"{error.code().name}: {error.details()}") from error


def _passed_on(error: grpc.aio.AioRpcError) -> ModelyardError:
    """A refusal is the caller's business; a broken neighbour is not told apart from one that is away."""
    refusal = to_error(failure_of(error))
    if refusal.kind in _ANSWERS:
        return refusal
    if refusal.kind is Kind.DEADLINE:
        return DeadlineExceeded("the catalog did not answer in time; try again")
    return Unavailable("the catalog cannot be used right now; try again")
