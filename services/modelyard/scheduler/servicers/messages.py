"""Values of the domain as messages of the protocol, and back."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from modelyard.api.scheduler.v1 import device_pb2, job_pb2, template_pb2, worker_pb2
from modelyard.foundation.errors import InvalidArgument, Kind, ModelyardError
from modelyard.foundation.rpc.status import to_status
from modelyard.scheduler.domain.devices import Ask, Device, DeviceKind
from modelyard.scheduler.domain.jobs import Attempt, Failure, FailureClass
from modelyard.scheduler.domain.records import JobSpec, LogLine, MetricValue
from modelyard.scheduler.service.jobs import JobView
from modelyard.scheduler.service.workers import WorkerView
from modelyard.scheduler.servicers.progress import progress

DEFAULT_ATTEMPTS = 3
MAX_SHOWN_DETAIL = 8192
"""Of what the code said, as it is shown with the job's error."""


def job(view: JobView, *, whole: bool = True) -> job_pb2.Job:
    """`whole` = False leaves out what is too much for a list: texts, images, and a failure's traceback."""
    record = view.record
    message = job_pb2.Job(
        name=record.name,
        uid=record.uid,
        etag=str(record.revision),
        display_name=record.display_name,
        labels=record.labels,
        spec=spec(record.spec),
        state=job_pb2.Job.State.Value(f"STATE_{record.state}"),
        progress=progress(view.progress),
        attempt=record.attempt_number,
        model_version=record.model_version,
        evaluation=record.evaluation,
        output_dataset_version=record.output_dataset_version,
        kind=template_pb2.Template.Kind.Value(f"KIND_{record.spec.kind.name}"),
        creator=record.creator,
        create_time=timestamp(record.create_time),
        start_time=timestamp(record.start_time),
        end_time=timestamp(record.end_time),
        update_time=timestamp(record.update_time),
    )
    if view.pending is not None:
        message.pending_reason = job_pb2.Job.PendingReason.Value(f"PENDING_REASON_{view.pending.reason}")
        message.pending_message = view.pending.message
        message.jobs_ahead = view.pending.jobs_ahead
    if record.failure is not None:
        message.failure_class = _failure_class(record.failure)
        message.error.CopyFrom(_error(record.name, record.failure, detail=whole))
    if not whole:
        message.progress.ClearField("texts")
        message.progress.ClearField("images")
    return message


def spec(value: JobSpec) -> job_pb2.JobSpec:
    message = job_pb2.JobSpec(
        template=value.template,
        dataset_version=value.dataset_version,
        dataset_digest=value.dataset_digest,
        package_version=value.package_version,
        package_digest=value.package_digest,
        entry=value.entry,
        model_version=value.model_version,
        model_digest=value.model_digest,
        source_version=value.source_version,
        source_digest=value.source_digest,
        model=value.model,
        output_dataset=value.output_dataset,
        devices=device_pb2.DeviceRequest(
            kind=device_pb2.DeviceKind.Value(f"DEVICE_KIND_{value.ask.kind or 'UNSPECIFIED'}"), count=value.ask.count
        ),
        priority=value.priority,
        max_attempts=value.max_attempts,
        max_runtime=duration(value.max_runtime),
        max_queue_duration=duration(value.max_queue_duration),
    )
    message.parameters.update(cast("dict[str, Any]", value.parameters))
    return message


def read_spec(message: job_pb2.JobSpec) -> JobSpec:
    kinds = {number: name.removeprefix("DEVICE_KIND_") for name, number in device_pb2.DeviceKind.items()}
    name = kinds.get(message.devices.kind)
    if name is None:
        raise InvalidArgument("job.spec.devices.kind must be CPU, GPU or TPU", field="job.spec.devices.kind")
    return JobSpec(
        template=message.template,
        dataset_version=message.dataset_version,
        package_version=message.package_version,
        entry=message.entry,
        model_version=message.model_version,
        source_version=message.source_version,
        parameters={key: _parameter(key, value) for key, value in message.parameters.fields.items()},
        model=message.model,
        output_dataset=message.output_dataset,
        ask=Ask(None if name == "UNSPECIFIED" else DeviceKind(name), message.devices.count or 1),
        priority=message.priority,
        max_attempts=message.max_attempts or DEFAULT_ATTEMPTS,
        max_runtime=_timedelta(message, "max_runtime"),
        max_queue_duration=_timedelta(message, "max_queue_duration"),
    )


def attempt(value: Attempt, start_step: int) -> job_pb2.Attempt:
    message = job_pb2.Attempt(
        name=value.name,
        state=job_pb2.Attempt.State.Value(f"STATE_{value.state}"),
        worker=value.worker,
        devices=[device(one) for one in value.devices],
        start_step=start_step,
        create_time=timestamp(value.create_time),
        start_time=timestamp(value.start_time),
        end_time=timestamp(value.end_time),
    )
    if value.failure is not None:
        message.failure_class = _failure_class(value.failure)
        message.message = value.failure.message
    return message


def log_entry(line: LogLine) -> job_pb2.LogEntry:
    return job_pb2.LogEntry(cursor=line.cursor, time=timestamp(line.time), attempt=line.attempt, text=line.text)


def read_log_entry(message: job_pb2.LogEntry) -> LogLine:
    # PostgreSQL has no text with NUL in it.
    return LogLine(_moment(message.time), message.text.replace("\0", "�"))


def metric_point(point: MetricValue) -> job_pb2.MetricPoint:
    return job_pb2.MetricPoint(
        cursor=point.cursor,
        time=timestamp(point.time),
        attempt=point.attempt,
        step=point.step,
        metric=point.metric,
        value=point.value,
    )


def read_metric_point(message: job_pb2.MetricPoint) -> MetricValue:
    return MetricValue(_moment(message.time), message.step, message.metric.replace("\0", "�"), message.value)


def device(value: Device) -> device_pb2.Device:
    return device_pb2.Device(
        kind=device_pb2.DeviceKind.Value(f"DEVICE_KIND_{value.kind}"),
        index=value.index,
        model=value.model,
        memory_bytes=value.memory_bytes,
        problem=value.problem,
    )


def read_device(message: device_pb2.Device, field: str) -> Device:
    names = {number: name for name, number in device_pb2.DeviceKind.items()}
    name = names.get(message.kind, "").removeprefix("DEVICE_KIND_")
    if name not in DeviceKind.__members__:
        raise InvalidArgument(f"{field}.kind must be CPU, GPU or TPU", field=f"{field}.kind")
    return Device(DeviceKind(name), message.index, message.model[:128], message.memory_bytes, message.problem[:512])


def worker(view: WorkerView) -> worker_pb2.Worker:
    value = view.worker
    return worker_pb2.Worker(
        name=value.name,
        state=worker_pb2.Worker.State.Value(f"STATE_{view.state}"),
        devices=[device(one) for one in value.devices],
        attempts=view.attempts,
        hostname=value.hostname,
        version=value.version,
        tensorflow_version=value.tensorflow_version,
        create_time=timestamp(value.create_time),
        heartbeat_time=timestamp(value.heartbeat_time),
    )


def timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def duration(value: timedelta | None) -> Duration | None:
    if value is None:
        return None
    message = Duration()
    message.FromTimedelta(value)
    return message


def _parameter(name: str, value: Value) -> object:
    kind = value.WhichOneof("kind")
    if kind not in ("number_value", "string_value", "bool_value"):
        path = f"job.spec.parameters.{name[:64]}"
        raise InvalidArgument(f"{path} must be a number, text, true or false", field=path)
    read: object = getattr(value, kind)
    return read


def _moment(message: Timestamp) -> datetime:
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise InvalidArgument("a time is out of range", field="time") from None


def _timedelta(message: job_pb2.JobSpec, field: str) -> timedelta | None:
    if not message.HasField(field):  # type: ignore[arg-type]
        return None
    try:
        value: timedelta = getattr(message, field).ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidArgument(f"job.spec.{field} is not a duration", field=f"job.spec.{field}") from None
    return value


def _failure_class(failure: Failure) -> job_pb2.Job.FailureClass.ValueType:
    return job_pb2.Job.FailureClass.Value(f"FAILURE_CLASS_{failure.kind}")


_KINDS = {
    FailureClass.ACCELERATOR_OOM: Kind.EXHAUSTED,
    FailureClass.HOST_OOM: Kind.EXHAUSTED,
    FailureClass.PIDS: Kind.EXHAUSTED,
    FailureClass.DISK_QUOTA: Kind.EXHAUSTED,
    FailureClass.TIMEOUT: Kind.DEADLINE,
    FailureClass.WORKER_LOST: Kind.UNAVAILABLE,
    FailureClass.STORAGE: Kind.UNAVAILABLE,
    FailureClass.INTERNAL: Kind.INTERNAL,
}


def _error(name: str, failure: Failure, *, detail: bool) -> status_pb2.Status:
    """A failed job as an error: its class is the reason, what the code said is the fact `detail`."""
    kind = _KINDS.get(failure.kind, Kind.PRECONDITION)
    cls = type("JobFailed", (ModelyardError,), {"kind": kind, "reason": failure.kind.value})
    status = to_status(cls(failure.message, resource=name))
    info = error_details_pb2.ErrorInfo()
    if detail and failure.detail and status.details[0].Unpack(info):
        # An error of a call travels in a trailer, and its facts are short; this one is part of a message.
        info.metadata["detail"] = failure.detail[-MAX_SHOWN_DETAIL:]
        status.details[0].Pack(info)
    return status
