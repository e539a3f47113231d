"""What an attempt is and how it can end."""

import errno

import pytest

from modelyard.trainer.domain import Device, FailureClass, StopReason, disk_failed


@pytest.mark.parametrize(
    ("device", "visible", "name"),
    [
        (Device("cpu", 0), "", "cpu"),
        (Device("gpu", 1), "", "gpu:1"),
        (Device("gpu", 1), "2,5", "gpu:5"),
        (Device("gpu", 0), "GPU-8a3f", "gpu:GPU-8a3f"),
        (Device("tpu", 0), "2,5", "tpu:0"),
    ],
)
def test_a_job_is_bound_to_the_gpu_that_the_worker_counted(device: Device, visible: str, name: str) -> None:
    assert device.name_in_job(visible) == name


def test_only_preemption_saves() -> None:
    assert [reason for reason in StopReason if reason.saves] == [StopReason.PREEMPTED]


def test_a_worse_reason_counts_and_a_milder_one_does_not() -> None:
    assert StopReason.CANCELLED.outranks(StopReason.PREEMPTED)
    assert StopReason.STALE.outranks(StopReason.CANCELLED)
    assert not StopReason.PREEMPTED.outranks(StopReason.TIMEOUT)
    assert not StopReason.CANCELLED.outranks(StopReason.CANCELLED)


def test_a_full_disk_is_said_in_a_sentence() -> None:
    failed = disk_failed(OSError(errno.ENOSPC, "No space left on device", "/data/x"))
    assert failed.failure_class is FailureClass.STORAGE
    assert failed.message == "this worker's disk is full (/data/x); free some space"
    assert disk_failed(OSError(errno.EIO, "Input/output error")).message == (
        "this worker's disk can't be used: Input/output error"
    )
