"""Why a job's process is gone, in the words of whose job it was."""

import signal

import pytest

from modelyard.foundation.sandbox.policy import End, EndKind
from modelyard.foundation.sync.children import Exit
from modelyard.trainer.domain import AttemptFailed, FailureClass, StopReason
from modelyard.trainer.ends import died, keeps_outputs
from modelyard.trainer.gates import server

KILLED = Exit(None, signal.SIGKILL, False)
TOLD = AttemptFailed(FailureClass.USER_CODE, "OSError: no space", "train.py, line 3")


@pytest.mark.parametrize(
    ("kind", "failure_class"),
    [
        (EndKind.OOM_KILLED, FailureClass.HOST_OOM),
        (EndKind.PIDS, FailureClass.PIDS),
        (EndKind.DISK_QUOTA, FailureClass.DISK_QUOTA),
        (EndKind.TIMEOUT, FailureClass.TIMEOUT),
    ],
)
def test_what_the_sandbox_ended_says_so_whatever_the_code_said_first(
    kind: EndKind, failure_class: FailureClass
) -> None:
    failed = died(End(kind, KILLED, "it used too much"), "last line", foreign=True, told=TOLD)
    assert failed.failure_class is failure_class
    assert failed.message.startswith("the job was ended: it used too much; ")
    assert failed.detail == "train.py, line 3"


@pytest.mark.parametrize(
    ("ended", "foreign", "failure_class", "words"),
    [
        (KILLED, False, FailureClass.SIGNAL, "was killed by SIGKILL, and not for a limit of its own"),
        (Exit(None, signal.SIGSEGV, False), True, FailureClass.SIGNAL, "SIGSEGV"),
        (Exit(3, None, False), False, FailureClass.INTERNAL, "status 3 without a word"),
        (Exit(3, None, False), True, FailureClass.USER_CODE, "ended its own process with status 3"),
        (Exit(0, None, False), True, FailureClass.USER_CODE, "before the work was done"),
    ],
)
def test_a_silent_end_is_classified_by_its_status(
    ended: Exit, foreign: bool, failure_class: FailureClass, words: str
) -> None:
    kind = EndKind.EXITED if ended.signal is None else EndKind.SIGNAL
    failed = died(End(kind, ended, str(ended)), "last line", foreign=foreign, told=None)
    assert failed.failure_class is failure_class
    assert words in failed.message
    assert failed.detail == "last line"


def test_a_model_server_that_was_killed_was_not_out_of_its_memory() -> None:
    failed = server._ended(End(EndKind.SIGNAL, KILLED, "it was killed"), "it ended", "last line")
    assert isinstance(failed, AttemptFailed)
    assert failed.failure_class is FailureClass.SIGNAL
    assert failed.message.startswith("the model server was killed by SIGKILL ")


def test_what_the_code_said_counts_when_it_ended_by_itself() -> None:
    assert died(End(EndKind.EXITED, Exit(1, None, False), ""), "last line", foreign=True, told=TOLD) is TOLD


@pytest.mark.parametrize(
    ("message", "detail", "failure_class"),
    [
        ("OSError: [Errno 27] File too large", "file.write(x)", FailureClass.DISK_QUOTA),
        ("OSError: [Errno 122] Disk quota exceeded", "file.write(x)", FailureClass.DISK_QUOTA),
        ("OSError: [Errno 12] Cannot allocate memory", "mmap.mmap(-1, 1 << 40)", FailureClass.HOST_OOM),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "os.fork()", FailureClass.PIDS),
        ("RuntimeError: can't start new thread", "start()", FailureClass.PIDS),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "os.read(3, 1)", FailureClass.USER_CODE),
    ],
)
def test_a_refusal_of_the_kernel_that_the_code_tells_as_its_own_is_the_limit_that_it_met(
    message: str, detail: str, failure_class: FailureClass
) -> None:
    told = AttemptFailed(FailureClass.USER_CODE, message, detail)
    failed = died(End(EndKind.EXITED, Exit(1, None, False), ""), "", foreign=True, told=told)
    assert failed.failure_class is failure_class
    assert message in failed.message


def test_what_was_left_is_kept_when_the_job_goes_on_or_ran_too_long() -> None:
    assert [reason for reason in StopReason if keeps_outputs(reason)] == [StopReason.PREEMPTED, StopReason.TIMEOUT]
