"""What an exception means to the person whose job it was."""

import errno
import os
import traceback
from pathlib import Path

import tensorflow as tf

from modelyard.job.errors import (
    AcceleratorMissing,
    CheckpointUnfit,
    DatasetDescriptionWrong,
    DatasetUnsuitable,
    Diverged,
    ExportInvalid,
    ImageUnreadable,
)
from modelyard.job.messages import Failed, FailureClass

MAX_MESSAGE = 2000
MAX_TRACEBACK = 8000

_CLASSES: dict[type[BaseException], FailureClass] = {
    AcceleratorMissing: FailureClass.INTERNAL,
    CheckpointUnfit: FailureClass.USER_CODE,
    DatasetDescriptionWrong: FailureClass.INVALID_DATA,
    DatasetUnsuitable: FailureClass.INVALID_DATA,
    Diverged: FailureClass.DIVERGED,
    ExportInvalid: FailureClass.EXPORT_INVALID,
    ImageUnreadable: FailureClass.INVALID_DATA,
    MemoryError: FailureClass.HOST_OOM,
}


def describe(error: BaseException, code: Path) -> Failed:
    """The message for the worker; `code` is the folder whose frames the user knows."""
    kind = classify(error)
    text = str(error).strip() or type(error).__name__
    if kind is FailureClass.STORAGE:
        text = f"the worker's disk is full; free some space, or use another worker ({text})"
    if kind is FailureClass.USER_CODE:
        text = f"{type(error).__name__}: {text}"
    return Failed(kind, text[:MAX_MESSAGE], user_traceback(error, code))


def classify(error: BaseException) -> FailureClass:
    """The first known error among the exception and its causes; everything else is the code's own."""
    cause: BaseException | None = error
    while cause is not None:
        if _disk_is_full(cause):
            return FailureClass.STORAGE
        if isinstance(cause, tf.errors.ResourceExhaustedError):
            on_gpu = "GPU" in str(cause) or "CUDA" in str(cause)
            return FailureClass.ACCELERATOR_OOM if on_gpu else FailureClass.HOST_OOM
        for kind, failure in _CLASSES.items():
            if isinstance(cause, kind):
                return failure
        cause = cause.__cause__
    return FailureClass.USER_CODE


def _disk_is_full(error: BaseException) -> bool:
    """TensorFlow has no error of its own for it."""
    if isinstance(error, tf.errors.OpError):
        return os.strerror(errno.ENOSPC) in str(error)
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def user_traceback(error: BaseException, code: Path) -> str:
    """The frames that lie in the job's code, or all of them where none does."""
    folder = str(code.resolve())
    frames = traceback.extract_tb(error.__traceback__)
    mine = [frame for frame in frames if frame.filename.startswith(folder)] or list(frames)
    for frame in mine:
        if frame.filename.startswith(folder):
            frame.filename = frame.filename[len(folder) :].lstrip("/")
    lines = traceback.format_list(mine) + traceback.format_exception_only(error)
    return "".join(lines)[-MAX_TRACEBACK:]
