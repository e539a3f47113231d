"""Rows of Parquet files, read by pyarrow."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modelyard.layouts.chunks import Problems
from modelyard.layouts.description import Table
from modelyard.layouts.errors import DataUnreadable, DecoderMissing, FileBroken
from modelyard.layouts.files import File
from modelyard.layouts.rows.batch import BATCH_ROWS, Batch, Shape

_MAX_COLUMNS = 4096


def read_shape(path: str, file: File) -> Shape:
    """Columns of plain values; lists, structures and bytes are left out. Raises DataUnreadable."""
    with _opened(path, file) as parquet:
        schema = parquet.schema_arrow
        plain = [field.name for field in schema if _is_plain(field.type)]
        if len(schema.names) > _MAX_COLUMNS or len(set(schema.names)) < len(schema.names):
            raise DataUnreadable(path, f"has more than {_MAX_COLUMNS:,} columns, or two of one name")
        if not plain:
            raise DataUnreadable(path, f"has no column of plain values; it has {schema.names[:5]}")
        left_out = tuple(name for name in schema.names if name not in plain)
    return Shape(Table("parquet"), tuple(plain), left_out)


def read_rows(path: str, file: File, shape: Shape, problems: Problems) -> Iterator[Batch]:
    """Raises FileBroken for a damaged file."""
    number = 1
    with _opened(path, file) as parquet:
        for batch in parquet.iter_batches(BATCH_ROWS, columns=list(shape.header)):
            columns = [_as_texts(batch.column(batch.schema.get_field_index(name))) for name in shape.header]
            rows = list(zip(*columns, strict=True))
            yield Batch(path, range(number, number + len(rows)), rows)
            number += len(rows)


@contextmanager
def _opened(path: str, file: File) -> Iterator[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DecoderMissing("Parquet files", "pyarrow") from None
    with file.open() as stream:
        try:
            yield pyarrow.parquet.ParquetFile(stream)
        except (pyarrow.ArrowException, OSError) as error:
            first = str(error).partition("\n")[0]
            raise FileBroken(path, f"is not a Parquet file that can be read: {first}") from error


def _is_plain(type: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(type):
        return _is_plain(type.value_type)
    return not types.is_nested(type) and not any(
        test(type) for test in (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_interval)
    )


def _as_texts(column: Any) -> list[str]:
    import pyarrow
    import pyarrow.types as types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not types.is_string(column.type):
        column = column.cast(pyarrow.string())
    return [value or "" for value in column.to_pylist()]
