"""A traceback as the person knows it whose code it was: their frames, and of libraries only that they were there."""

import os
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from itertools import dropwhile, groupby
from pathlib import Path

import modelyard
from modelyard.foundation.errors import ModelyardError
from modelyard.job.code import EntryMissing
from modelyard.job.graph_errors import inside, without_nodes

_OURS = tuple(f"{Path(folder).resolve()}{os.sep}" for folder in modelyard.__path__)

_STANDARD = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


class _Shown(traceback.StackSummary):
    def format_frame_summary(self, frame_summary: traceback.FrameSummary) -> str:
        if frame_summary.lineno is None:
            return f"  … {frame_summary.name}\n"
        return super().format_frame_summary(frame_summary)


def of_code(error: BaseException, code: Path) -> str:
    """The exception and what led to it, with the frames that lie in `code`; with all frames where none does, and the
    exception does not say by itself what is wrong."""
    folder = f"{code.resolve()}{os.sep}"
    told = traceback.TracebackException.from_exception(error)
    links = list(_chain(told))
    if any(_is_mine(frame, folder) for each in links for frame in each.stack) or speaks_for_itself(error):
        for each in links:
            # Without any there is no headline either.
            each.stack = _Shown(_shown(each.stack, folder)) or None  # type: ignore[assignment]
    text = "".join(told.format())
    for cause in _causes(error):
        text = text.replace(str(cause), _said(cause, folder)) if str(cause) else text
    return text.replace(folder, "")


def speaks_for_itself(error: BaseException) -> bool:
    """Whether what raised it is nothing to look at: the file that is no Python, an entry that is not there."""
    return isinstance(error, (SyntaxError, ModelyardError, EntryMissing))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """It and what led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _said(error: BaseException, folder: str) -> str:
    """An exception's own text; where it is about code that TensorFlow has called, that code's frames instead of its."""
    found = inside(error)
    if found is None:
        return without_nodes(str(error))
    mine = found.of(folder)
    return "\n".join([found.words, *"".join(traceback.format_list(mine)).splitlines()])


def _chain(told: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    yield told
    for each in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if each is not None:
            yield from _chain(each)


def _is_mine(frame: traceback.FrameSummary, folder: str) -> bool:
    return frame.filename.startswith(folder)


def _shown(frames: Iterable[traceback.FrameSummary], folder: str) -> Iterator[traceback.FrameSummary]:
    """From the code's first frame on."""
    called = dropwhile(lambda frame: not _is_mine(frame, folder), frames)
    for mine, some in groupby(called, lambda frame: _is_mine(frame, folder)):
        if mine:
            yield from some
        elif names := [name for frame in some if (name := _library(frame.filename))]:
            count = f"{len(names)} frame{'s' if len(names) > 1 else ''} of {', '.join(dict.fromkeys(names))}"
            yield traceback.FrameSummary("", None, count, lookup_line=False)


def _library(file: str) -> str:
    """The installed package that a file belongs to; "" for our own and the standard library's."""
    if file.startswith(_OURS):
        return ""
    place = max((each for each in sys.path if each and file.startswith(f"{each}{os.sep}")), key=len, default="")
    if not place or place in _STANDARD:
        return ""
    return file[len(place) + 1 :].partition(os.sep)[0].removesuffix(".py")
