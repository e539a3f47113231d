"""WorkerSyncService."""

from modelyard.api.scheduler.v1 import job_pb2, worker_sync_service_pb2, worker_sync_service_pb2_grpc
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.ids import parse
from modelyard.foundation.rpc.shapes import Context
from modelyard.scheduler.domain.devices import Device
from modelyard.scheduler.domain.jobs import AttemptState, Failure, FailureClass
from modelyard.scheduler.service.reports import Report, Reports
from modelyard.scheduler.service.sync import Assignment, Completion, Sighting, Stop, WorkerSync
from modelyard.scheduler.servicers import messages
from modelyard.scheduler.servicers.progress import read_progress

ATTEMPT = "projects/{project}/jobs/{job}/attempts/{attempt:int}"
MAX_DEVICES = 256
MAX_ATTEMPTS = 1024
MAX_MESSAGE = 4096
MAX_DETAIL = 64 * 1024
_RUNNING = {
    job_pb2.Attempt.STATE_PREPARING: AttemptState.PREPARING,
    job_pb2.Attempt.STATE_RUNNING: AttemptState.RUNNING,
}
_OUTCOMES = {
    job_pb2.Attempt.STATE_SUCCEEDED: AttemptState.SUCCEEDED,
    job_pb2.Attempt.STATE_FAILED: AttemptState.FAILED,
    job_pb2.Attempt.STATE_STOPPED: AttemptState.STOPPED,
}


class WorkerSyncServicer(worker_sync_service_pb2_grpc.WorkerSyncServiceServicer):
    def __init__(self, sync: WorkerSync, reports: Reports) -> None:
        self._sync = sync
        self._reports = reports

    async def Sync(
        self, request: worker_sync_service_pb2.SyncRequest, context: Context
    ) -> worker_sync_service_pb2.SyncResponse:
        orders = await self._sync.sync(current_identity(), _sighting(request))
        return worker_sync_service_pb2.SyncResponse(
            assignments=[_assignment(one) for one in orders.assignments],
            stops=[_stop(one) for one in orders.stops],
            lease=messages.duration(orders.lease),
            cursor=orders.cursor,
            drain=orders.drain,
        )

    async def Report(
        self, request: worker_sync_service_pb2.ReportRequest, context: Context
    ) -> worker_sync_service_pb2.ReportResponse:
        parse(ATTEMPT, request.attempt, "attempt")
        report = Report(
            attempt=request.attempt,
            sequence=request.sequence,
            state=_RUNNING.get(request.state),
            start_step=request.start_step,
            logs=[messages.read_log_entry(entry) for entry in request.logs],
            metrics=[messages.read_metric_point(point) for point in request.metrics],
            progress=read_progress(request.progress) if request.HasField("progress") else None,
        )
        await self._reports.report(current_identity(), report)
        return worker_sync_service_pb2.ReportResponse()

    async def CompleteAttempt(
        self, request: worker_sync_service_pb2.CompleteAttemptRequest, context: Context
    ) -> worker_sync_service_pb2.CompleteAttemptResponse:
        parse(ATTEMPT, request.attempt, "attempt")
        if request.outcome not in _OUTCOMES:
            raise InvalidArgument("outcome must be SUCCEEDED, FAILED or STOPPED", field="outcome")
        completion = Completion(
            request.attempt,
            _OUTCOMES[request.outcome],
            request.model_version,
            request.evaluation,
            request.output_dataset_version,
            _failure(request),
        )
        await self._sync.complete(current_identity(), completion)
        return worker_sync_service_pb2.CompleteAttemptResponse()


def _sighting(request: worker_sync_service_pb2.SyncRequest) -> Sighting:
    parse("workers/{worker}", request.worker, "worker")
    if len(request.instance_id) > 64:
        raise InvalidArgument("instance_id has more than 64 characters", field="instance_id")
    if len(request.attempts) > MAX_ATTEMPTS:
        raise InvalidArgument(f"attempts has more than {MAX_ATTEMPTS} entries", field="attempts")
    attempts = []
    for index, one in enumerate(request.attempts):
        parse(ATTEMPT, one.name, f"attempts[{index}].name")
        attempts.append((one.name, _RUNNING.get(one.state, AttemptState.PREPARING)))
    return Sighting(
        worker=request.worker,
        instance=request.instance_id,
        devices=_devices(request),
        attempts=tuple(attempts),
        leaving=request.draining,
        hostname=request.hostname[:256],
        version=request.version[:64],
        tensorflow_version=request.tensorflow_version[:64],
        cursor=request.cursor,
        max_wait_s=request.max_wait.seconds + request.max_wait.nanos / 1e9,
    )


def _devices(request: worker_sync_service_pb2.SyncRequest) -> tuple[Device, ...]:
    if len(request.devices) > MAX_DEVICES:
        raise InvalidArgument(f"devices has more than {MAX_DEVICES} entries", field="devices")
    devices = tuple(messages.read_device(one, f"devices[{index}]") for index, one in enumerate(request.devices))
    if len({device.key for device in devices}) != len(devices):
        raise InvalidArgument("devices names one twice; kind and index are unique on a worker", field="devices")
    return devices


def _failure(request: worker_sync_service_pb2.CompleteAttemptRequest) -> Failure | None:
    names = {number: name for name, number in job_pb2.Job.FailureClass.items()}
    name = names.get(request.failure_class, "").removeprefix("FAILURE_CLASS_")
    if name not in FailureClass.__members__:
        return None
    return Failure(FailureClass(name), _text(request.message, MAX_MESSAGE), _text(request.detail, MAX_DETAIL))


def _text(value: str, most: int) -> str:
    """The end is what a traceback is read for."""
    value = value.replace("\0", "�")
    return value if len(value) <= most else "…" + value[-most + 1 :]


def _assignment(value: Assignment) -> worker_sync_service_pb2.Assignment:
    return worker_sync_service_pb2.Assignment(
        attempt=value.attempt,
        spec=messages.spec(value.spec),
        devices=[messages.device(one) for one in value.devices],
        token=value.token.token,
        token_expire_time=messages.timestamp(value.token.expire_time),
    )


def _stop(value: Stop) -> worker_sync_service_pb2.StopCommand:
    return worker_sync_service_pb2.StopCommand(
        attempt=value.attempt,
        reason=worker_sync_service_pb2.StopCommand.Reason.Value(f"REASON_{value.reason}"),
        grace=messages.duration(value.grace),
    )
