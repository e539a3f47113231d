"""What whoever pushes says about the data, where it is not to be guessed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.layouts.chunks import Problems
from modelyard.layouts.description import Description
from modelyard.layouts.errors import Problem

CHOICES = ("auto", "class_folders", "idx", "table", "interactions", "lines", "parallel", "coco", "tfrecord")
"""Values of `--layout`; interactions are a table with a column of users and one of items."""


@dataclass(frozen=True, slots=True)
class Options:
    layout: str = "auto"
    target: str = ""
    """The column to learn, by its header. Of parallel files: the ending of the target's."""
    split_by: str = ""
    """The column whose value decides an example's split, so that rows with the same value stay together."""
    features: Mapping[str, Mapping[str, Any]] | None = None
    """By a column's header: what it is, {"kind": …, "role": …}. Layout tfrecord: every feature of the records."""
    modality: str = ""
    header: bool | None = None
    """Whether the first row of a CSV file names the columns; None finds out."""


@dataclass(slots=True)
class Findings:
    """What is worth telling whoever pushes."""

    problems: Problems = field(default_factory=Problems)
    """Examples that are left out."""
    left_out: list[Problem] = field(default_factory=list)
    """Files that can't be read, and are to be no part of the version."""
    notes: list[str] = field(default_factory=list)
    """How something was understood, where it could have been meant otherwise."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What was detected."""

    description: Description
    findings: Findings
