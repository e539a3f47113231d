"""The catalog's RPCs that others call, over real gRPC, from a few dictionaries."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from modelyard.api.catalog.v1 import (
    execution_pb2,
    lineage_service_pb2_grpc,
    model_pb2,
    model_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)

OPEN = execution_pb2.Execution.STATE_OPEN


@dataclass
class FakeCatalog(
    model_service_pb2_grpc.ModelServiceServicer,
    lineage_service_pb2_grpc.LineageServiceServicer,
    token_service_pb2_grpc.TokenServiceServicer,
    health_pb2_grpc.HealthServicer,  # type: ignore[misc]
):
    """Behaves as the real one does for one consumer: attempts only grow, and attempt 0 opens a new execution."""

    versions: dict[str, model_pb2.ModelVersion] = field(default_factory=dict)
    executions: dict[str, list[execution_pb2.Execution]] = field(default_factory=dict)
    refuse: list[grpc.StatusCode] = field(default_factory=list)
    """Lineage calls to be answered with these codes first."""
    target: str = ""

    def add(
        self,
        number: int,
        state: str = "READY",
        model: str = "m",
        *,
        row_wise: bool = True,
        digest: str = "",
        foreign: bool = False,
    ) -> str:
        name = f"projects/default/models/{model}/versions/{number}"
        self.versions[name] = model_pb2.ModelVersion(
            name=name,
            digest=digest or f"sha256:{number:064x}",
            state=model_pb2.ModelVersion.State.Value(f"STATE_{state}"),
            info=model_pb2.ModelInfo(row_wise=row_wise, foreign=foreign),
        )
        return name

    def execution(self, consumer: str) -> execution_pb2.Execution | None:
        """The newest one."""
        found = self.executions.get(consumer)
        return found[-1] if found else None

    def inputs(self, consumer: str) -> list[str]:
        """What is held."""
        found = self.execution(consumer)
        return [ref.name for ref in found.inputs] if found is not None and found.state == OPEN else []

    async def GetModelVersion(self, request: Any, context: Any) -> model_pb2.ModelVersion:
        name = request.name
        if name.endswith("/latest"):
            parent = name.rpartition("/")[0]
            name = max((each for each in self.versions if each.startswith(parent + "/")), default=name)
        if name not in self.versions:
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"{name} does not exist", "NOT_FOUND")
        return self.versions[name]

    async def BeginExecution(self, request: Any, context: Any) -> execution_pb2.Execution:
        await self._refuse(context)
        missing = [name for name in request.inputs if name not in self.versions]
        if missing:
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"{missing[0]} does not exist", "NOT_FOUND")
        newest = self.execution(request.consumer)
        if newest is None or (newest.state != OPEN and request.attempt == 0):
            newest = execution_pb2.Execution(consumer=request.consumer, state=OPEN)
            self.executions.setdefault(request.consumer, []).append(newest)
        elif request.attempt < newest.attempt:
            await _abort(context, grpc.StatusCode.ABORTED, "a newer attempt has begun", "STALE_ATTEMPT")
        elif newest.state != OPEN:
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, "it has ended", "EXECUTION_ENDED")
        newest.attempt = request.attempt
        del newest.inputs[:]
        newest.inputs.extend(execution_pb2.VersionRef(name=name) for name in request.inputs)
        return newest

    async def EndExecution(self, request: Any, context: Any) -> execution_pb2.Execution:
        await self._refuse(context)
        newest = self.execution(request.consumer)
        if newest is None:
            await _abort(context, grpc.StatusCode.NOT_FOUND, "there is none", "NOT_FOUND")
            raise AssertionError
        if request.attempt < newest.attempt:
            await _abort(context, grpc.StatusCode.ABORTED, "a newer attempt has begun", "STALE_ATTEMPT")
        newest.state = request.outcome
        return newest

    async def ListRevocations(self, request: Any, context: Any) -> token_service_pb2.ListRevocationsResponse:
        return token_service_pb2.ListRevocationsResponse(cursor="1")

    async def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    async def _refuse(self, context: Any) -> None:
        if self.refuse:
            await _abort(context, self.refuse.pop(0), "not now", "NOT_NOW")


@asynccontextmanager
async def running_fake_catalog(folder: Path, name: str = "catalog") -> AsyncIterator[FakeCatalog]:
    """On `unix:{folder}/{name}.sock`, which is its `target`."""
    catalog = FakeCatalog(target=f"unix:{folder}/{name}.sock")
    server = grpc.aio.server()
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(catalog, server)
    lineage_service_pb2_grpc.add_LineageServiceServicer_to_server(catalog, server)
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(catalog, server)
    health_pb2_grpc.add_HealthServicer_to_server(catalog, server)
    server.add_insecure_port(catalog.target)
    await server.start()
    try:
        yield catalog
    finally:
        await server.stop(0)


async def _abort(context: Any, code: grpc.StatusCode, message: str, reason: str) -> None:
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    await context.abort(code, message, (("grpc-status-details-bin", status.SerializeToString()),))
