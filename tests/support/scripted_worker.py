"""A worker over real gRPC that does what a test says."""

from collections.abc import Sequence
from typing import Any

import grpc

from modelyard.api.scheduler.v1 import (
    device_pb2,
    job_pb2,
    worker_sync_service_pb2,
    worker_sync_service_pb2_grpc,
)
from tests.support.dataset_catalog import PROJECT

CPU = device_pb2.Device(kind=device_pb2.DEVICE_KIND_CPU, index=0)


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
