"""Which of a tree's tables hold the examples, all of which have the same columns; and whether they name files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from modelyard.layouts.chunks import Problems
from modelyard.layouts.errors import DataUnreadable, FileBroken
from modelyard.layouts.file_columns import MediaFiles, place_of_files
from modelyard.layouts.files import Files
from modelyard.layouts.names import TABLES, identifier, suffix
from modelyard.layouts.options import Options
from modelyard.layouts.rows import Batch, Shape, read_rows, read_shape, shape_as
from modelyard.layouts.rows.csv_rows import NAMED
from modelyard.layouts.table_plan import RATINGS, is_interactions

_SAMPLE = 50


def main_tables(files: Files, paths: Sequence[str], options: Options) -> tuple[list[str], Shape, list[str]]:
    """The tables of examples, which have the same columns; their shape; and the others. Raises DataUnreadable."""
    shapes = {path: read_shape(path, files[path], TABLES[suffix(path)], options.header) for path in paths}
    chosen = [path for path, shape in shapes.items() if is_interactions(shape.header)]
    if options.layout in ("auto", "interactions") and chosen and len(chosen) < len(paths):
        rated = [path for path in chosen if {identifier(name) for name in shapes[path].header} & RATINGS]
        chosen = rated or chosen
    else:
        chosen = list(paths)
    shapes |= _with_same_quotes(files, {path: shapes[path] for path in chosen})
    first = shapes[chosen[0]]
    for path in chosen[1:]:
        _check_same(chosen[0], first, path, shapes[path])
    return chosen, first, [path for path in paths if path not in chosen]


def _with_same_quotes(files: Files, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Those that change: the file that leaves the least doubt decides for all whether fields stand between quotes."""
    first = next(iter(shapes.values())).table
    like_first = {
        path: shape
        for path, shape in shapes.items()
        if (shape.table.format, shape.table.delimiter) == (first.format, first.delimiter)
    }
    quoted = min(like_first.values(), key=lambda shape: shape.doubt).table.quoted
    return {
        path: shape_as(path, files[path], replace(shape.table, quoted=quoted))
        for path, shape in like_first.items()
        if shape.table.quoted != quoted
    }


def name_files(files: Files, paths: Sequence[str]) -> bool:
    """Whether one of the tables names files of the tree. Raises FileBroken where one that can't be read may do so."""
    there = MediaFiles.among(files)
    broken: FileBroken | None = None
    for path in paths:
        try:
            shape = read_shape(path, files[path], TABLES[suffix(path)])
            batch = first_rows(files, [path], shape)
        except FileBroken as error:
            broken = broken or error
            continue
        for column in zip(*batch.rows[:_SAMPLE], strict=True) if batch else ():
            if place_of_files(path, column, there, files) is not None:
                return True
    if broken is not None:
        raise broken
    return False


def first_rows(files: Files, paths: Sequence[str], shape: Shape) -> Batch | None:
    """Of the first of the tables that has rows."""
    for path in paths:
        for batch in read_rows(path, files[path], shape, Problems()):
            return batch
    return None


def _check_same(path: str, shape: Shape, other_path: str, other: Shape) -> None:
    """Raises DataUnreadable where two files do not have the same columns, saying which differ."""
    if shape.table.format != other.table.format:
        raise DataUnreadable(
            other_path, f"is {other.table.format}, {path} is {shape.table.format}; keep one of the two"
        )
    one, two = shape.header, other.header
    if shape.table.format == "jsonl" and set(two) <= set(one):
        return
    if one != two:
        raise DataUnreadable(other_path, _difference(path, one, two), reason="COLUMNS_DIFFER")
    if shape.table.delimiter != other.table.delimiter:
        found, wanted = NAMED[other.table.delimiter], NAMED[shape.table.delimiter]
        raise DataUnreadable(other_path, f"has {found} between its fields, {path} {wanted}", reason="COLUMNS_DIFFER")
    if shape.table.header != other.table.header:
        raise DataUnreadable(
            other_path, f"and {path} differ: one begins with the columns' names", reason="COLUMNS_DIFFER"
        )


def _difference(path: str, one: Sequence[str], two: Sequence[str]) -> str:
    lacking = [name for name in one if name not in two]
    more = [name for name in two if name not in one]
    if len(one) == len(two) and (lacking or more):
        at = next(at for at in range(len(one)) if one[at] != two[at])
        return f"has {two[at]!r} as column {at + 1}, {path} has {one[at]!r}; the columns must be the same"
    if lacking or more:
        parts = [f"lacks {', '.join(map(repr, lacking[:5]))}"] if lacking else []
        parts += [f"has {', '.join(map(repr, more[:5]))} besides"] if more else []
        return f"has {len(two)} columns, {path} {len(one)}: it {' and '.join(parts)}"
    return f"has the columns of {path} in another order: {', '.join(two[:10])}"
