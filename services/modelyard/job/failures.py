"""What an exception means to the person whose job it was."""

import errno
import os
import traceback
from pathlib import Path

import tensorflow as tf

from modelyard.foundation.errors import ModelyardError
from modelyard.job.code import EntryMissing
from modelyard.job.errors import (
    AcceleratorMissing,
    DatasetDescriptionWrong,
    DatasetUnsuitable,
    Diverged,
    ExamplesUnreadable,
    ExportInvalid,
    ModelUnsuitable,
    NoRoom,
)
from modelyard.job.explain import chain, explain, words
from modelyard.job.frames import speaks_for_itself
from modelyard.job.graph_errors import inside
from modelyard.job.messages import Failed, FailureClass
from modelyard.templates.fitting import DatasetNotForModel, SignatureUnknown
from modelyard.templates.specs import SHIPPED

MAX_MESSAGE = 2000
MAX_TRACEBACK = 8000

_CLASSES: dict[type[BaseException], FailureClass] = {
    AcceleratorMissing: FailureClass.INTERNAL,
    DatasetDescriptionWrong: FailureClass.INVALID_DATA,
    DatasetNotForModel: FailureClass.INVALID_DATA,
    NoRoom: FailureClass.STORAGE,
    DatasetUnsuitable: FailureClass.INVALID_DATA,
    Diverged: FailureClass.DIVERGED,
    ExamplesUnreadable: FailureClass.INVALID_DATA,
    ExportInvalid: FailureClass.EXPORT_INVALID,
    ModelUnsuitable: FailureClass.INVALID_DATA,
    SignatureUnknown: FailureClass.INVALID_DATA,
    MemoryError: FailureClass.HOST_OOM,
}


def describe(error: BaseException, code: Path, batch_size: int = 0) -> Failed:
    """The message for the worker; `code` is the folder whose frames the user knows."""
    kind = classify(error)
    text = _sentence(kind, error, code, batch_size)
    where = _where(error, code)
    return Failed(kind, f"{text[:MAX_MESSAGE]}{f' ({where})' if where else ''}", user_traceback(error, code))


def ended_by_exit(end: SystemExit, code: Path) -> Failed:
    """For code that ends its own process."""
    where = _where(end, code)
    return Failed(
        FailureClass.USER_CODE,
        f"the code ended the process with sys.exit({end.code!r}) before it had a result; leave it out, or raise an "
        f"exception that says what is wrong{f' ({where})' if where else ''}",
        user_traceback(end, code),
    )


def classify(error: BaseException) -> FailureClass:
    """The first known error among the exception and what led to it; everything else is the code's own."""
    for cause in chain(error):
        if _disk_is_full(cause):
            return FailureClass.STORAGE
        if isinstance(cause, tf.errors.ResourceExhaustedError):
            on_gpu = "GPU" in str(cause) or "CUDA" in str(cause)
            return FailureClass.ACCELERATOR_OOM if on_gpu else FailureClass.HOST_OOM
        for kind, failure in _CLASSES.items():
            if isinstance(cause, kind):
                return failure
    return FailureClass.USER_CODE


def _sentence(kind: FailureClass, error: BaseException, code: Path, batch_size: int) -> str:
    if kind is FailureClass.STORAGE:
        return f"the worker's disk is full; free some space, or use another worker ({words(error)})"
    if kind in (FailureClass.HOST_OOM, FailureClass.ACCELERATOR_OOM):
        what = "the accelerator" if kind is FailureClass.ACCELERATOR_OOM else "the job"
        tried = f" at a batch size of {batch_size}; try {max(1, batch_size // 2)}" if batch_size else ""
        return f"{what} ran out of memory{tried or '; try smaller batches or a smaller network'} ({words(error)})"
    own = next((cause for cause in chain(error) if isinstance(cause, (ModelyardError, EntryMissing))), None)
    if own is not None:
        return str(own)
    return explain(error, code) or f"{type(error).__name__}: {words(error)}"


def _disk_is_full(error: BaseException) -> bool:
    """TensorFlow has no error of its own for it."""
    if isinstance(error, tf.errors.OpError):
        return os.strerror(errno.ENOSPC) in str(error)
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _mine(error: BaseException, code: Path) -> list[traceback.FrameSummary]:
    """The frames that lie in the job's code, with their files as the user knows them."""
    folder = f"{code.resolve()}{os.sep}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(folder)]
    for frame in frames:
        frame.filename = frame.filename[len(folder) :]
    within = next((found for cause in chain(error) if (found := inside(cause)) is not None), None)
    return frames + (within.of(folder) if within else [])


def _where(error: BaseException, code: Path) -> str:
    """The line that the user can change; a shipped template's code is not theirs."""
    mine = [] if code.resolve().is_relative_to(SHIPPED) else _mine(error, code)
    return f"{mine[-1].filename}, line {mine[-1].lineno}" if mine else ""


def user_traceback(error: BaseException, code: Path) -> str:
    """The frames that lie in the job's code, or all of them where none does and they say more than the exception."""
    folder = f"{code.resolve()}{os.sep}"
    frames = _mine(error, code)
    if not frames and not speaks_for_itself(error):
        frames = list(traceback.extract_tb(error.__traceback__))
    within = inside(error)
    said = traceback.format_exception_only(error) if within is None else [f"{within.words}\n"]
    return "".join(traceback.format_list(frames) + [line.replace(folder, "") for line in said])[-MAX_TRACEBACK:]
