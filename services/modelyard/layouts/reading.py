"""Reads a dataset as its description says, example by example, wherever its files lie."""

from collections.abc import Iterator

from modelyard.layouts import class_folders, coco, idx, lines, parallel, table_reading, tfrecord
from modelyard.layouts.chunks import Chunk, Problems, Report
from modelyard.layouts.description import Description
from modelyard.layouts.errors import DataUnreadable
from modelyard.layouts.files import Files


def read(description: Description, files: Files, report: Report) -> Iterator[Chunk]:
    """Every example. What can't be used is told to `report`, and the rest goes on.

    Raises DataUnreadable where the files are not what the description claims, DescriptionWrong where it claims what
    can't be, DecoderMissing for a library that is not installed. Whether there are as many examples as it claims is
    for the caller to compare.
    """
    if description.layout == "idx":
        return idx.read(description, files)
    readers = {
        "class_folders": class_folders.read,
        "table": table_reading.read,
        "lines": lines.read,
        "parallel": parallel.read,
        "coco": coco.read,
        "tfrecord": tfrecord.read,
    }
    return readers[description.layout](description, files, Problems(0, report))


def read_items(description: Description, files: Files, report: Report) -> Iterator[Chunk]:
    """The item table of interactions, as chunks of split "items"; nothing where there is none."""
    if description.items is None:
        return
    if description.items.file not in files:
        raise DataUnreadable(description.items.file, "is named by the description, but the tree does not have it")
    yield from table_reading.read_items(description.items, files, Problems(0, report))
