"""The scheduler, as a worker dials it."""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import TypeVar

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from modelyard.api.scheduler.v1 import (
    job_pb2,
    worker_sync_service_pb2,
    worker_sync_service_pb2_grpc,
)
from modelyard.foundation.errors import Kind, ModelyardError
from modelyard.foundation.rpc.status import failure_of, to_error
from modelyard.trainer.domain import (
    AttemptStopped,
    Device,
    Failed,
    Found,
    Outcome,
    StopReason,
    Succeeded,
)
from modelyard.trainer.messages import KIND_NAMES, failure_class, to_device, to_progress
from modelyard.trainer.orders import Assignment, Orders, Seen, StopOrder
from modelyard.trainer.reporter import Report, Unavailable

T = TypeVar("T")
Codes = AbstractSet[grpc.StatusCode]

_LONGEST_WAIT_S = 10.0
_SYNC_TIMEOUT_S = 20.0
_CALL_TIMEOUT_S = 15.0
_MAX_TEXT = 16_000
_AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)
_BROKEN = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
"""A fault over there that the next call may not meet."""
_STOP_REASONS = {
    worker_sync_service_pb2.StopCommand.REASON_CANCELLED: StopReason.CANCELLED,
    worker_sync_service_pb2.StopCommand.REASON_PREEMPTED: StopReason.PREEMPTED,
    worker_sync_service_pb2.StopCommand.REASON_STALE: StopReason.STALE,
    worker_sync_service_pb2.StopCommand.REASON_TIMEOUT: StopReason.TIMEOUT,
}


class Scheduler:
    """One worker's calls."""

    def __init__(self, channel: grpc.aio.Channel, worker: str, instance_id: str, hostname: str, version: str) -> None:
        self._stub = worker_sync_service_pb2_grpc.WorkerSyncServiceStub(channel)
        self._worker = worker
        self._instance_id = instance_id
        self._hostname = hostname
        self._version = version
        self._cursor = ""
        self._lease_s = 0.0

    async def sync(self, found: Found, seen: Sequence[Seen], *, draining: bool, wait: bool) -> Orders:
        """What I see, what I should do; with `wait` the answer may wait for news. Raises Unavailable, or the
        scheduler's refusal: of a token, or of a process that was replaced by a newer one (WORKER_REPLACED)."""
        request = worker_sync_service_pb2.SyncRequest(
            worker=f"workers/{self._worker}",
            instance_id=self._instance_id,
            devices=[to_device(device) for device in found.devices],
            draining=draining,
            hostname=self._hostname,
            version=self._version,
            tensorflow_version=found.tensorflow_version,
            cursor=self._cursor if wait else "",
        )
        if wait:
            # A lease counts from when its call was sent: two parked calls must fit into it, with room to spare.
            request.max_wait.FromMilliseconds(int(min(_LONGEST_WAIT_S, self._lease_s / 4) * 1000))
        for one in seen:
            state = job_pb2.Attempt.STATE_RUNNING if one.running else job_pb2.Attempt.STATE_PREPARING
            request.attempts.add(name=one.attempt, state=state)
        answer = await self._call(self._stub.Sync, request, _SYNC_TIMEOUT_S, _AWAY | _BROKEN)
        self._cursor = answer.cursor
        self._lease_s = answer.lease.ToTimedelta().total_seconds()
        return Orders(
            tuple(_assignment(each) for each in answer.assignments),
            tuple(_stop_order(each) for each in answer.stops),
            self._lease_s,
            answer.drain,
        )

    async def report(self, report: Report) -> None:
        """Deliver logs, metrics and progress. Raises Unavailable, AttemptStopped, or the scheduler's refusal."""
        request = worker_sync_service_pb2.ReportRequest(
            attempt=report.attempt,
            sequence=report.sequence,
            progress=to_progress(report.progress),
            state=job_pb2.Attempt.STATE_RUNNING if report.running else job_pb2.Attempt.STATE_PREPARING,
            start_step=report.start_step,
        )
        for line in report.lines:
            request.logs.add(time=_timestamp(line.time), text=line.text)
        for point in report.points:
            request.metrics.add(time=_timestamp(point.time), step=point.step, metric=point.metric, value=point.value)
        await self._told(self._stub.Report, request, _AWAY)

    async def complete(self, attempt: str, outcome: Outcome) -> None:
        """Say how it ended; the same again is fine. Raises Unavailable, AttemptStopped, or the scheduler's refusal."""
        request = worker_sync_service_pb2.CompleteAttemptRequest(attempt=attempt)
        match outcome:
            case Succeeded():
                request.outcome = job_pb2.Attempt.STATE_SUCCEEDED
                request.model_version, request.evaluation = outcome.model_version, outcome.evaluation
                request.output_dataset_version = outcome.output_dataset_version
            case Failed():
                request.outcome = job_pb2.Attempt.STATE_FAILED
                request.failure_class = failure_class(outcome.failure_class)
                request.message, request.detail = outcome.message[:_MAX_TEXT], outcome.detail[-_MAX_TEXT:]
            case _:
                request.outcome = job_pb2.Attempt.STATE_STOPPED
        await self._told(self._stub.CompleteAttempt, request, _AWAY | _BROKEN)

    async def _told(self, method: Callable[..., Awaitable[object]], request: Message, passing: Codes) -> None:
        """A call about an attempt, which may be over."""
        try:
            await self._call(method, request, _CALL_TIMEOUT_S, passing)
        except ModelyardError as error:
            if error.kind is Kind.CONFLICT:
                raise AttemptStopped from error
            raise

    async def _call(self, method: Callable[..., Awaitable[T]], request: Message, timeout: float, passing: Codes) -> T:
        try:
            return await method(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() in passing:
                raise Unavailable(f"{error.code().name}: {error.details()}") from error
            raise to_error(failure_of(error)) from error


def _assignment(each: worker_sync_service_pb2.Assignment) -> Assignment:
    spec = each.spec
    return Assignment(
        attempt=each.attempt,
        template=spec.template,
        parameters=json_format.MessageToDict(spec.parameters),
        dataset_version=spec.dataset_version,
        dataset_digest=spec.dataset_digest,
        model=spec.model,
        devices=tuple(Device(KIND_NAMES[d.kind], d.index, d.model, d.memory_bytes, d.problem) for d in each.devices),
        token=each.token,
        entry=spec.entry,
        package_version=spec.package_version,
        package_digest=spec.package_digest,
        model_version=spec.model_version,
        model_digest=spec.model_digest,
        source_version=spec.source_version,
        source_digest=spec.source_digest,
        output_dataset=spec.output_dataset,
        max_runtime_s=spec.max_runtime.ToTimedelta().total_seconds(),
    )


def _stop_order(each: worker_sync_service_pb2.StopCommand) -> StopOrder:
    # A reason of a later version: stop at once and store nothing is right for all.
    reason = _STOP_REASONS.get(each.reason, StopReason.STALE)
    return StopOrder(each.attempt, reason, each.grace.ToTimedelta().total_seconds())


def _timestamp(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.fromtimestamp(seconds, UTC))
    return stamp
