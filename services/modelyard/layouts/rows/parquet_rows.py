"""Rows of Parquet files, read by pyarrow."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from modelyard.layouts.chunks import Problems
from modelyard.layouts.description import Table
from modelyard.layouts.errors import DataUnreadable, DecoderMissing, FileBroken
from modelyard.layouts.files import File
from modelyard.layouts.rows.batch import BATCH_CHARACTERS, BATCH_ROWS, Batch, Shape

_MAX_COLUMNS = 4096
_BUFFER_BYTES = 1 << 20
"""Of each column; without it a row group's columns are read as a whole."""


def read_shape(path: str, file: File) -> Shape:
    """Columns of plain values; lists, structures and bytes are left out. Raises DataUnreadable."""
    with _opened(path, file) as parquet:
        schema = parquet.schema_arrow
        plain = [field.name for field in schema if _is_plain(field.type)]
        if len(schema.names) > _MAX_COLUMNS or len(set(schema.names)) < len(schema.names):
            raise DataUnreadable(path, f"has more than {_MAX_COLUMNS:,} columns, or two of one name")
        if not plain:
            raise DataUnreadable(path, f"has no column of plain values; it has {schema.names[:5]}")
        if "" in plain:
            raise DataUnreadable(path, "has a column without a name; give it one")
        left_out = tuple(name for name in schema.names if name not in plain)
    return Shape(Table("parquet"), tuple(plain), left_out)


def read_rows(path: str, file: File, shape: Shape, problems: Problems) -> Iterator[Batch]:
    """Raises FileBroken for a damaged file."""
    number = 1
    with _opened(path, file) as parquet:
        for batch in parquet.iter_batches(_rows_at_once(parquet), columns=list(shape.header)):
            for columns in _portions([_as_strings(batch.column(name)) for name in shape.header]):
                rows = list(zip(*map(_texts, columns), strict=True))
                yield _readable(path, range(number, number + len(rows)), rows, shape, problems)
                number += len(rows)


def _rows_at_once(parquet: Any) -> int:
    """BATCH_ROWS, or fewer where the average row of some row group is heavy: Arrow has them in memory together.

    Beside them it has a page of each column as a whole, however large who wrote the file made it.
    """
    groups = (parquet.metadata.row_group(at) for at in range(parquet.num_row_groups))
    heaviest = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(BATCH_ROWS, BATCH_CHARACTERS // max(1, heaviest)))


def _portions(columns: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The same rows, halved until they are no heavier than a batch may be, or one row."""
    rows = len(columns[0])
    if rows <= 1 or sum(column.nbytes for column in columns) <= BATCH_CHARACTERS:
        yield columns
        return
    yield from _portions([column.slice(0, rows // 2) for column in columns])
    yield from _portions([column.slice(rows // 2) for column in columns])


def _readable(
    path: str, numbers: Sequence[int], rows: Sequence[Sequence[str | None]], shape: Shape, problems: Problems
) -> Batch:
    """A batch of the rows whose texts are all UTF-8; the others are problems."""
    good: dict[int, Sequence[str]] = {}
    for number, row in zip(numbers, rows, strict=True):
        if None in row:
            problems.add(path, number, f"has a text in column {shape.header[row.index(None)]!r} that is no UTF-8")
        else:
            good[number] = cast(Sequence[str], row)
    return Batch(path, list(good), list(good.values()))


@contextmanager
def _opened(path: str, file: File) -> Iterator[Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DecoderMissing("Parquet files", "pyarrow") from None
    with file.open() as stream:
        try:
            yield pyarrow.parquet.ParquetFile(stream, buffer_size=_BUFFER_BYTES)
        except UnicodeDecodeError as error:
            raise FileBroken(path, "has a column whose name is no UTF-8; write it with other names") from error
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


def _as_strings(column: Any) -> Any:
    import pyarrow
    import pyarrow.types as types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column if types.is_string(column.type) else column.cast(pyarrow.string())


def _texts(column: Any) -> list[str | None]:
    """ "" where there is none, None for what is no UTF-8."""
    import pyarrow

    try:
        return [value or "" for value in column.to_pylist()]
    except UnicodeDecodeError:
        return [_text(value or b"") for value in column.cast(pyarrow.binary()).to_pylist()]


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
