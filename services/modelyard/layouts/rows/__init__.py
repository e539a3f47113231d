"""Rows of tables, whatever wrote them down: every value is a text, and "" where there is none."""

from collections.abc import Iterator

from modelyard.layouts.chunks import Problems
from modelyard.layouts.description import Table
from modelyard.layouts.files import File
from modelyard.layouts.rows import csv_rows, jsonl_rows, parquet_rows
from modelyard.layouts.rows.batch import Batch, Shape

__all__ = ["Batch", "Shape", "read_rows", "read_shape", "shape_as"]


def read_shape(path: str, file: File, format: str, header: bool | None = None) -> Shape:
    """How a file's rows are written down and what its columns are called. Raises DataUnreadable."""
    if format == "csv":
        return csv_rows.read_shape(path, file, header)
    return jsonl_rows.read_shape(path, file) if format == "jsonl" else parquet_rows.read_shape(path, file)


def shape_as(path: str, file: File, table: Table) -> Shape:
    """The same where it is known how they are written down: what the columns are called. Raises DataUnreadable."""
    if table.format == "csv":
        return csv_rows.shape_as(path, file, table)
    return read_shape(path, file, table.format)


def read_rows(path: str, file: File, shape: Shape, problems: Problems) -> Iterator[Batch]:
    """All rows that have the columns that the shape says; the others are problems. Raises DataUnreadable."""
    read = {"csv": csv_rows.read_rows, "jsonl": jsonl_rows.read_rows, "parquet": parquet_rows.read_rows}
    return read[shape.table.format](path, file, shape, problems)
