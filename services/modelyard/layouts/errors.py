"""What can be wrong with data, said so that whoever has it can act.

LayoutError
├── LayoutUnknown       files are laid out in none of the known ways; or not in the way that was asked for
├── DataUnreadable      a file is not what its name or its place says
│   └── FileBroken      no example can be read from a table or a file of lines; others beside it may do without it
├── DescriptionWrong    `modelyard.dataset.json` is not a description
└── DecoderMissing      a library that reads this kind of file is not installed
"""

from dataclasses import dataclass


class LayoutError(Exception):
    """`message` says what is so and what to do; `reason` is the same for the same cause in every release."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class LayoutUnknown(LayoutError):
    """The message says what was seen."""

    def __init__(self, message: str, *, reason: str = "LAYOUT_UNKNOWN") -> None:
        super().__init__(message, reason=reason)


class DataUnreadable(LayoutError):
    """A file of the tree is not what it should be."""

    def __init__(self, path: str, problem: str, *, reason: str = "DATA_UNREADABLE") -> None:
        super().__init__(f"{path} {problem}", reason=reason)
        self.path = path
        self.problem = problem


class FileBroken(DataUnreadable):
    """A table or a file of lines is empty, damaged or in another encoding."""


class DescriptionWrong(LayoutError):
    """A part of a description is not what it must be."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}" if field else problem, reason="DATASET_DESCRIPTION_WRONG")
        self.field = field
        """Such as `features.age.kind`; empty for the whole."""
        self.problem = problem


class DecoderMissing(LayoutError):
    """Reading this kind of file takes an extra of this package."""

    def __init__(self, what: str, module: str, extra: str = "media") -> None:
        super().__init__(
            f"reading {what} takes {module}, which is not installed: pip install 'modelyard[{extra}]'",
            reason="MODULE_MISSING",
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """An example that can't be used; the others can."""

    path: str
    """The file, as the tree has it."""
    row: int
    """Its line or record, counted from 1; 0 where the whole file is meant."""
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.row}: {self.reason}" if self.row else f"{self.path}: {self.reason}"
