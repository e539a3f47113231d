"""What the end of a job's process means to the person whose job it was. Pure."""

import errno
import os
import signal

from modelyard.foundation.sandbox.policy import End, EndKind
from modelyard.trainer.domain import AttemptFailed, FailureClass, StopReason

_ADVICE = {
    EndKind.OOM_KILLED: (
        FailureClass.HOST_OOM,
        "use a smaller batch size, read the data with context.dataset instead of context.arrays, or use a worker with "
        "more memory",
    ),
    EndKind.PIDS: (FailureClass.PIDS, "start fewer processes and threads, and wait for those that were started"),
    EndKind.DISK_QUOTA: (
        FailureClass.DISK_QUOTA,
        "write less, and remove files that are no longer needed: the job's folder is for its checkpoints, its model "
        "and its outputs",
    ),
    EndKind.TIMEOUT: (
        FailureClass.TIMEOUT,
        "allow more (--max-runtime), or train for fewer epochs; its checkpoints are kept",
    ),
}


def died(end: End, last_lines: str, *, foreign: bool, told: AttemptFailed | None) -> AttemptFailed:
    """Why a process is gone that did not do its work. `told` is what it said itself; `foreign`: it ran code that
    others wrote."""
    if end.kind in _ADVICE:
        failure, advice = _ADVICE[end.kind]
        detail = told.detail if told is not None and told.detail else last_lines
        return AttemptFailed(failure, f"the job was ended: {end.message}; {advice}", detail)
    if told is not None:
        return recognised(told)
    if end.exit.signal is signal.SIGKILL:
        return AttemptFailed(
            FailureClass.SIGNAL,
            "the job's process was killed by SIGKILL, and not for a limit of its own: by somebody on the machine, or "
            "by the system because the whole machine ran out of memory, which the kernel's log then says",
            last_lines,
        )
    if end.exit.signal is not None:
        return AttemptFailed(
            FailureClass.SIGNAL,
            f"the job's process crashed with {end.exit.signal.name}, in compiled code most likely: look at the last "
            "lines, and at packages that bring their own binaries",
            last_lines,
        )
    if foreign:
        return AttemptFailed(
            FailureClass.USER_CODE,
            f"the code ended its own process with status {end.exit.code} before the work was done; let it return, or "
            "raise an error that says why",
            last_lines,
        )
    return AttemptFailed(
        FailureClass.INTERNAL, f"the training process ended with status {end.exit.code} without a word", last_lines
    )


def recognised(told: AttemptFailed) -> AttemptFailed:
    """What the code said of its failure, or the limit that it has met: the kernel's refusals reach the code as errors,
    which it may tell as its own."""
    kind = _limit_met(told)
    if kind is None:
        return told
    failure, advice = _ADVICE[kind]
    return AttemptFailed(failure, f"the code met a limit of its sandbox ({told.message}); {advice}", told.detail)


def _limit_met(told: AttemptFailed) -> EndKind | None:
    if told.failure_class is not FailureClass.USER_CODE:
        return None
    if any(os.strerror(number) in told.message for number in (errno.EFBIG, errno.EDQUOT)):
        return EndKind.DISK_QUOTA
    if os.strerror(errno.ENOMEM) in told.message:
        return EndKind.OOM_KILLED
    # A read that would have to wait says the same; it starts nothing.
    starting = any(word in told.detail for word in ("fork", "Popen", "Process", "Thread", "thread"))
    if "can't start new thread" in told.message or (os.strerror(errno.EAGAIN) in told.message and starting):
        return EndKind.PIDS
    return None


def keeps_outputs(reason: StopReason) -> bool:
    """Whether what an attempt has left beside its model is still wanted when it was told to stop for `reason`."""
    return reason in (StopReason.PREEMPTED, StopReason.TIMEOUT)
