"""The catalog, as far as deployments need it."""

from collections.abc import Awaitable
from typing import TypeVar

import grpc

from modelyard.api.catalog.v1 import (
    execution_pb2,
    lineage_service_pb2,
    lineage_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
)
from modelyard.foundation.errors import Kind, ModelyardError
from modelyard.foundation.ids import project_of
from modelyard.foundation.rpc.status import failure_of, to_error
from modelyard.inference.domain.deployments import Hold, ModelVersion, ModelVersionNotReady

TIMEOUT_S = 10.0
FAILED = model_pb2.Gate.STATE_FAILED

Answer = TypeVar("Answer")


class GrpcCatalog:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)
        self._lineage = lineage_service_pb2_grpc.LineageServiceStub(channel)

    async def model_version(self, name: str) -> ModelVersion:
        request = model_service_pb2.GetModelVersionRequest(name=name)
        version = await _answer(self._models.GetModelVersion(request, timeout=TIMEOUT_S))
        if version.state != model_pb2.ModelVersion.STATE_READY:
            state = model_pb2.ModelVersion.State.Name(version.state).removeprefix("STATE_")
            failed = [f" ({gate.kind}: {gate.detail})" for gate in version.info.gates if gate.state == FAILED]
            raise ModelVersionNotReady(
                f"{version.name} is {state.lower()}{''.join(failed[:1])}; only a ready version can be served",
                resource=version.name,
                state=state,
            )
        return ModelVersion(version.name, version.digest, version.info.row_wise, version.info.foreign)

    async def begin(self, hold: Hold) -> None:
        request = lineage_service_pb2.BeginExecutionRequest(
            parent=f"projects/{project_of(hold.deployment)}",
            consumer=hold.deployment,
            attempt=hold.attempt,
            inputs=hold.inputs,
        )
        await _answer(self._lineage.BeginExecution(request, timeout=TIMEOUT_S))

    async def end(self, hold: Hold) -> None:
        request = lineage_service_pb2.EndExecutionRequest(
            parent=f"projects/{project_of(hold.deployment)}",
            consumer=hold.deployment,
            attempt=hold.attempt,
            outcome=execution_pb2.Execution.STATE_SUCCEEDED,
        )
        try:
            await _answer(self._lineage.EndExecution(request, timeout=TIMEOUT_S))
        except ModelyardError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise


async def _answer(call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise to_error(failure_of(error)) from error
