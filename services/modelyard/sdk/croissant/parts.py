"""What each file of a version is for, by the same description from which a job reads it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from modelyard.layouts.class_folders import in_folders
from modelyard.layouts.description import DESCRIPTION_FILE, Description
from modelyard.layouts.file_columns import ENDINGS
from modelyard.layouts.media import is_kind
from modelyard.layouts.names import suffix
from modelyard.tree import Entry


@dataclass(frozen=True, slots=True)
class Parts:
    """A version's files, each in one of these."""

    examples: list[Entry] = field(default_factory=list)
    """Hold the examples, or are some."""
    items: list[Entry] = field(default_factory=list)
    """Interactions: the table that describes the items."""
    media: list[Entry] = field(default_factory=list)
    """Images, sounds and videos that a table or COCO's boxes name."""
    other: list[Entry] = field(default_factory=list)
    """Nothing is read from these: notes, tables that are not used."""


def parts_of(entries: Sequence[Entry], description: Description) -> Parts:
    """Sorts a version's files; its description itself is left out."""
    parts = Parts()
    items = description.items.file if description.items else ""
    examples = _examples(entries, description)
    for entry in entries:
        if entry.path == DESCRIPTION_FILE:
            continue
        if entry.path in examples:
            parts.examples.append(entry)
        elif entry.path == items:
            parts.items.append(entry)
        elif description.layout in ("table", "coco") and suffix(entry.path) in ENDINGS:
            parts.media.append(entry)
        else:
            parts.other.append(entry)
    return parts


def _examples(entries: Sequence[Entry], description: Description) -> set[str]:
    if description.layout == "idx":
        return {path for split in description.splits for path in split.files}
    if description.layout == "class_folders":
        paths = in_folders(entry.path for entry in entries)
        return {path for path in paths if is_kind(description.modality, path)}
    return set(description.files)
