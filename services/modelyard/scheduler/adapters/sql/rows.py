"""Rows to values and back."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from modelyard.scheduler.domain.devices import Ask, Device, DeviceKind
from modelyard.scheduler.domain.jobs import (
    Attempt,
    AttemptState,
    Failure,
    FailureClass,
    Job,
    JobState,
    StopReason,
)
from modelyard.scheduler.domain.records import JobRecord, JobSpec, Progress
from modelyard.scheduler.domain.workers import Worker
from modelyard.templates.specs import Kind

Values = dict[str, Any]

_LATER = (
    "package_version",
    "package_digest",
    "entry",
    "model_version",
    "model_digest",
    "source_version",
    "source_digest",
    "output_dataset",
)
"""What older rows do not have."""


def spec_json(spec: JobSpec) -> Values:
    return {
        "template": spec.template,
        "dataset_version": spec.dataset_version,
        "dataset_digest": spec.dataset_digest,
        "package_version": spec.package_version,
        "package_digest": spec.package_digest,
        "entry": spec.entry,
        "model_version": spec.model_version,
        "model_digest": spec.model_digest,
        "source_version": spec.source_version,
        "source_digest": spec.source_digest,
        "parameters": dict(spec.parameters),
        "model": spec.model,
        "output_dataset": spec.output_dataset,
        "device_kind": spec.ask.kind.value if spec.ask.kind else "",
        "device_count": spec.ask.count,
        "priority": spec.priority,
        "max_attempts": spec.max_attempts,
        "max_runtime_us": _micros(spec.max_runtime),
        "max_queue_us": _micros(spec.max_queue_duration),
    }


def read_spec(row: Row[Any]) -> JobSpec:
    """Out of a job's row: its kind has a column of its own, as it is searched by."""
    stored: Mapping[str, Any] = row.spec
    kind = stored["device_kind"]
    return JobSpec(
        template=stored["template"],
        kind=Kind(row.kind) if row.kind else _kind_before_0004(stored),
        dataset_version=stored["dataset_version"],
        dataset_digest=stored["dataset_digest"],
        **{name: stored.get(name, "") for name in _LATER},
        parameters=stored["parameters"],
        model=stored["model"],
        ask=Ask(DeviceKind(kind) if kind else None, stored["device_count"]),
        priority=stored["priority"],
        max_attempts=stored["max_attempts"],
        max_runtime=_duration(stored["max_runtime_us"]),
        max_queue_duration=_duration(stored["max_queue_us"]),
    )


def _kind_before_0004(stored: Mapping[str, Any]) -> Kind:
    if stored.get("source_version"):
        return Kind.IMPORT
    return Kind.EVALUATION if stored.get("model_version") else Kind.TRAINING


def progress_json(progress: Progress) -> Values:
    """Numbers that JSON has no word for are left out."""
    values = asdict(progress)
    values["metrics"] = {name: value for name, value in progress.metrics.items() if abs(value) < float("inf")}
    return values


def read_progress(stored: Mapping[str, Any]) -> Progress:
    return Progress(**stored)


def read_record(row: Row[Any]) -> JobRecord:
    return JobRecord(
        name=row.name,
        uid=row.uid,
        order=row.order,
        spec=read_spec(row),
        state=JobState(row.state) if row.state in JobState.__members__ else JobState.QUEUED,
        creator=row.creator,
        create_time=row.create_time,
        update_time=row.update_time,
        revision=row.revision,
        display_name=row.display_name,
        labels=row.labels,
        progress=read_progress(row.progress),
        attempt_number=row.attempt_number,
        model_version=row.model_version,
        evaluation=row.evaluation,
        output_dataset_version=row.output_dataset_version,
        failure=_failure(row),
        start_time=row.start_time,
        end_time=row.end_time,
    )


def read_job(row: Row[Any], attempt: Attempt | None) -> Job:
    spec = read_spec(row)
    return Job(
        name=row.name,
        order=row.order,
        create_time=row.create_time,
        ask=spec.ask,
        priority=spec.priority,
        max_attempts=spec.max_attempts,
        max_runtime=spec.max_runtime,
        max_queue_duration=spec.max_queue_duration,
        model=spec.model,
        evaluates=spec.evaluates,
        output_dataset=spec.output_dataset,
        state=JobState(row.state),
        attempt_number=row.attempt_number,
        attempt=attempt,
        losses=row.losses,
        checkpoint_step=row.checkpoint_step,
        not_before=row.not_before,
        prepare_time=row.prepare_time,
        start_time=row.start_time,
    )


def job_values(job: Job) -> Values:
    """The columns that scheduling changes."""
    return {
        "state": job.state.value,
        "attempt_number": job.attempt_number,
        "losses": job.losses,
        "checkpoint_step": job.checkpoint_step,
        "not_before": job.not_before,
        "prepare_time": job.prepare_time,
        "start_time": job.start_time,
        "end_time": job.end_time,
        "model_version": job.model_version,
        "evaluation": job.evaluation,
        "output_dataset_version": job.output_dataset_version,
        **_failure_values(job.failure),
    }


def attempt_values(attempt: Attempt) -> Values:
    return {
        "worker": attempt.worker,
        "instance": attempt.instance,
        "devices": [_device_json(device) for device in attempt.devices],
        "state": attempt.state.value,
        "create_time": attempt.create_time,
        "start_time": attempt.start_time,
        "end_time": attempt.end_time,
        "stop": attempt.stop.value if attempt.stop else "",
        "stop_deadline": attempt.stop_deadline,
        "held": attempt.held,
        **_failure_values(attempt.failure),
    }


def read_attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        job=row.job,
        number=row.number,
        worker=row.worker,
        instance=row.instance,
        devices=_devices(row.devices),
        create_time=row.create_time,
        state=AttemptState(row.state),
        start_time=row.start_time,
        end_time=row.end_time,
        stop=StopReason(row.stop) if row.stop else None,
        stop_deadline=row.stop_deadline,
        failure=_failure(row),
        held=row.held,
    )


def worker_values(worker: Worker) -> Values:
    return {
        "instance": worker.instance,
        "devices": [_device_json(device) for device in worker.devices],
        "hostname": worker.hostname,
        "version": worker.version,
        "tensorflow_version": worker.tensorflow_version,
        "replaced": list(worker.replaced),
        "cordoned": worker.cordoned,
        "drained": worker.drained,
        "leaving": worker.leaving,
        "lost": worker.lost,
        "create_time": worker.create_time,
        "heartbeat_time": worker.heartbeat_time,
        "lease_end": worker.lease_end,
    }


def read_worker(row: Row[Any]) -> Worker:
    return Worker(
        name=row.name,
        instance=row.instance,
        create_time=row.create_time,
        heartbeat_time=row.heartbeat_time,
        lease_end=row.lease_end,
        devices=_devices(row.devices),
        hostname=row.hostname,
        version=row.version,
        tensorflow_version=row.tensorflow_version,
        replaced=tuple(row.replaced),
        cordoned=row.cordoned,
        drained=row.drained,
        leaving=row.leaving,
        lost=row.lost,
    )


def _device_json(device: Device) -> Values:
    return {**asdict(device), "kind": device.kind.value}


def _devices(stored: list[Values]) -> tuple[Device, ...]:
    return tuple(Device(**{**values, "kind": DeviceKind(values["kind"])}) for values in stored)


def _failure(row: Row[Any]) -> Failure | None:
    if not row.failure_class:
        return None
    return Failure(FailureClass(row.failure_class), row.failure_message, row.failure_detail)


def _failure_values(failure: Failure | None) -> Values:
    return {
        "failure_class": failure.kind.value if failure else "",
        "failure_message": failure.message if failure else "",
        "failure_detail": failure.detail if failure else "",
    }


def _micros(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // timedelta(microseconds=1)


def _duration(micros: int | None) -> timedelta | None:
    return None if micros is None else timedelta(microseconds=micros)
