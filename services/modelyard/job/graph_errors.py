"""What TensorFlow's errors say of Python that failed inside of them: a generator, a `py_function`, a mapped function.

The exception itself is lost there. Its words and its traceback are in the error's text, between frames of libraries.
"""

import re
import traceback
from dataclasses import dataclass

_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(
    r'^  File "(?P<file>.+)", line (?P<line>\d+), in (?P<name>.+)\n(?:    (?P<source>.*)\n)?', re.MULTILINE
)
_MISSING = re.compile(r"ModuleNotFoundError: No module named '(?P<name>[^']+)'")
_ABOUT_NODES = re.compile(
    r"^Detected at node .* defined at \(most recent call last\):\n<stack traces unavailable>\n", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Inside:
    """An exception of Python's, as far as it is known."""

    words: str
    """`ValueError: what it says`."""
    frames: tuple[traceback.FrameSummary, ...]

    def of(self, folder: str) -> list[traceback.FrameSummary]:
        """The frames below a folder, whose name ends with a slash; with their files as they are called in there."""
        return [
            traceback.FrameSummary(frame.filename.removeprefix(folder), frame.lineno, frame.name, line=frame.line)
            for frame in self.frames
            if frame.filename.startswith(folder)
        ]

    def error(self) -> BaseException | None:
        """The same exception, where others have rules for it."""
        missing = _MISSING.match(self.words)
        return ModuleNotFoundError(self.words.partition(": ")[2], name=missing["name"]) if missing else None


def inside(error: BaseException) -> Inside | None:
    """What failed inside of it; None where its text has no traceback."""
    text = str(error)
    if not type(error).__module__.startswith("tensorflow.") or _TRACEBACK not in text:
        return None
    told = text.rpartition(_TRACEBACK)[2]
    found = list(_FRAME.finditer(told))
    if not found:
        return None
    frames = tuple(
        traceback.FrameSummary(each["file"], int(each["line"]), each["name"], lookup_line=False, line=each["source"])
        for each in found
    )
    after = [line for line in told[found[-1].end() :].splitlines() if line and not line.startswith(" ")]
    words = next((line for line in after if not line.startswith("\t")), "")
    return Inside(words.strip(), frames) if words else None


def without_nodes(text: str) -> str:
    """An error's text without the places in the graph of which nothing is known."""
    return _ABOUT_NODES.sub("", text)
