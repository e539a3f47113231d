"""Adds to a folder's files the dataset's own description, `modelyard.dataset.json`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelyard.layouts import (
    DESCRIPTION_FILE,
    Description,
    Findings,
    LayoutError,
    Options,
    parse_description,
    to_bytes,
)
from modelyard.layouts.detection import detect, with_known_splits
from modelyard.layouts.tfrecord import read_spec
from modelyard.sdk.errors import FailedPrecondition, InvalidArgument
from modelyard.sdk.folder import Source, Sources


@dataclass(frozen=True, slots=True)
class Described:
    """A dataset's tree."""

    sources: Sources
    findings: Findings = field(default_factory=Findings)


def describe(
    sources: Sources, options: Options | None = None, *, generated: Mapping[str, Any] | None = None
) -> Described:
    """The files as the dataset's tree has them, with their description: its own, where it has one.

    Tables and files of lines that can't be read are left out, `findings.left_out` says why. Everything else keeps its
    path, but the folders of splits get the names that readers know: `Val/` becomes `validation/`.
    Raises InvalidArgument with a sentence that says what was seen.
    """
    if DESCRIPTION_FILE in sources:
        if options is not None and options != Options():
            raise InvalidArgument(
                f"the folder has {DESCRIPTION_FILE}, which says how it is laid out, as in a dataset that was pulled; "
                "remove this file to have it found out anew, with your options",
                reason="ALREADY_DESCRIBED",
            )
        note = f"it is laid out as its {DESCRIPTION_FILE} says; if files have changed since, remove it and push again"
        return Described(dict(sources), Findings(notes=[note]))
    try:
        renamed = {known: sources[path] for path, known in with_known_splits(sources).items()}
        found = detect(renamed, options)
    except LayoutError as error:
        raise InvalidArgument(error.message, reason=error.reason) from error
    except OSError as error:
        raise InvalidArgument(f"{error.filename} can't be read: {error.strerror}", reason="FILE_UNREADABLE") from error
    for problem in found.findings.left_out:
        del renamed[problem.path]
    content = to_bytes(replace(found.description, generated=generated))
    return Described({**renamed, DESCRIPTION_FILE: Source(len(content), content=content)}, found.findings)


def read_description(version: str, data: bytes) -> Description:
    """What a version says of itself. Raises FailedPrecondition where a newer release wrote it."""
    try:
        return parse_description(data)
    except LayoutError as error:
        raise FailedPrecondition(f"{DESCRIPTION_FILE} of {version}: {error.message}", reason=error.reason) from error


def read_features(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """What a file of `--features` says. Raises InvalidArgument."""
    try:
        return read_spec(str(path), path.read_bytes())
    except LayoutError as error:
        raise InvalidArgument(error.message, reason=error.reason) from error
    except OSError as error:
        raise InvalidArgument(f"{path} can't be read: {error.strerror}", reason="FILE_UNREADABLE") from error
