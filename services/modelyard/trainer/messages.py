"""The API's messages for what the worker knows."""

from modelyard.api.scheduler.v1 import device_pb2, job_pb2
from modelyard.trainer.domain import Device, FailureClass, Progress

KINDS = {"cpu": device_pb2.DEVICE_KIND_CPU, "gpu": device_pb2.DEVICE_KIND_GPU, "tpu": device_pb2.DEVICE_KIND_TPU}
MAX_INT32 = (1 << 31) - 1
"""A job may count as far as it likes."""
KIND_NAMES = {number: name for name, number in KINDS.items()}


def failure_class(value: FailureClass) -> job_pb2.Job.FailureClass.ValueType:
    """The API's word for it."""
    return job_pb2.Job.FailureClass.Value(f"FAILURE_CLASS_{value}")


def to_device(device: Device) -> device_pb2.Device:
    """The API's message."""
    return device_pb2.Device(
        kind=KINDS[device.kind],
        index=device.index,
        model=device.model,
        memory_bytes=device.memory_bytes,
        problem=device.problem,
    )


def to_progress(progress: Progress) -> job_pb2.Progress:
    """The API's message."""
    return job_pb2.Progress(
        stage=progress.stage,
        step=progress.step,
        total_steps=progress.total_steps,
        epoch=min(progress.epoch, MAX_INT32),
        epochs=min(progress.epochs, MAX_INT32),
        examples_per_second=progress.examples_per_second,
        metrics=progress.metrics,
        done_bytes=progress.done_bytes,
        total_bytes=progress.total_bytes,
        checkpoint_step=progress.checkpoint_step,
        texts=progress.texts,
        images=progress.images,
    )
