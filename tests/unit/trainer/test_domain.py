"""Why a training process that said nothing is gone."""

import pytest

from modelyard.trainer.domain import Device, FailureClass, Found, StopReason, died


@pytest.mark.parametrize(
    ("status", "failure_class", "words"),
    [
        (-9, FailureClass.HOST_OOM, "runs out of memory"),
        (-11, FailureClass.INTERNAL, "SIGSEGV"),
        (3, FailureClass.INTERNAL, "status 3"),
        (0, FailureClass.INTERNAL, "without a word"),
    ],
)
def test_a_silent_end_is_classified_by_its_status(status: int, failure_class: FailureClass, words: str) -> None:
    failed = died(status, "last line")
    assert failed.failure_class is failure_class
    assert words in failed.message
    assert failed.detail == "last line"


def test_a_gpu_that_tensorflow_cannot_use_is_shown_but_not_given_away() -> None:
    cpu, gpu = Device("cpu", 0), Device("gpu", 0, problem="no CUDA")
    found = Found((cpu, gpu), "2.21.0")
    assert found.devices == (cpu, gpu)
    assert found.usable == (cpu,)


def test_without_tensorflow_nothing_can_be_given_away() -> None:
    assert Found((Device("cpu", 0),), problem="TensorFlow can't be loaded").usable == ()


def test_only_preemption_saves_and_only_stale_is_silent() -> None:
    assert [reason for reason in StopReason if reason.saves] == [StopReason.PREEMPTED]
    assert [reason for reason in StopReason if reason.silent] == [StopReason.STALE]
