"""Layout table, read."""

from collections.abc import Iterator, Sequence

from modelyard.layouts import values
from modelyard.layouts.chunks import Chunk, Column, Problems
from modelyard.layouts.description import MEDIA, Description, Feature, Items, SplitRule, Table
from modelyard.layouts.errors import DataUnreadable, DescriptionWrong
from modelyard.layouts.file_columns import FileColumn
from modelyard.layouts.files import Files, Range
from modelyard.layouts.row_checks import RowChecks
from modelyard.layouts.rows import Shape, read_rows, shape_as

_REQUIRED = ("target", "user", "item", "rating")


def read(description: Description, files: Files, problems: Problems) -> Iterator[Chunk]:
    """Raises DataUnreadable for columns that are not what is claimed."""
    if description.table is None:
        raise DescriptionWrong("table", "is missing, for layout table")
    header: tuple[str, ...] | None = None
    for path, split in description.files.items():
        shape = _shape(path, files, description.table, description.features)
        if header is not None and shape.header != header:
            raise DataUnreadable(path, "has other columns than the files before it", reason="COLUMNS_DIFFER")
        header = shape.header
        checks = _checks(description.features, description.split_rule, header)
        for batch in read_rows(path, files[path], shape, problems):
            for name, numbers, rows in checks.usable(batch, split, files, problems).by_split():
                if name not in description.examples:
                    raise DataUnreadable(
                        f"{path}:{numbers[0]}", f"is of split {name!r}, which the description does not claim"
                    )
                origins = [f"{path}:{number}" for number in numbers]
                yield Chunk(name, origins, _columns(description.features, header, path, rows, files))


def read_items(items: Items, files: Files, problems: Problems) -> Iterator[Chunk]:
    """The item table of interactions; its chunks are of split "items"."""
    shape = _shape(items.file, files, items.table, items.features)
    checks = _checks(items.features, SplitRule("file"), shape.header)
    for batch in read_rows(items.file, files[items.file], shape, problems):
        for name, numbers, rows in checks.usable(batch, "items", files, problems).by_split():
            origins = [f"{items.file}:{number}" for number in numbers]
            yield Chunk(name, origins, _columns(items.features, shape.header, items.file, rows, files))


def _shape(path: str, files: Files, table: Table, features: Sequence[Feature]) -> Shape:
    """The file's own header, under the description's way to write rows."""
    if path not in files:
        raise DataUnreadable(path, "is named by the description, but the tree does not have it")
    headers = tuple(feature.header for feature in features)
    if table.format == "jsonl":
        return Shape(table, headers)
    found = shape_as(path, files[path], table)
    missing = [header for header in headers if header not in found.header]
    if missing:
        raise DataUnreadable(
            path, f"has no column {missing[0]!r}, which the description claims; it has {', '.join(found.header[:20])}"
        )
    return Shape(table, found.header)


def _checks(features: Sequence[Feature], rule: SplitRule, header: Sequence[str]) -> RowChecks:
    at = {feature.name: header.index(feature.header) for feature in features}
    if rule.column and rule.column not in header:
        raise DescriptionWrong("split_rule.column", f"is {rule.column!r}; there is no such column")

    def places(kind: str) -> list[int]:
        return [at[feature.name] for feature in features if feature.kind == kind]

    return RowChecks(
        header,
        rule,
        required=[at[each.name] for each in features if each.role in _REQUIRED and each.kind not in MEDIA],
        numbers=places("number"),
        times=places("time"),
        known={at[each.name]: frozenset(each.classes) for each in features if each.kind == "category" and each.classes},
        media={
            at[each.name]: FileColumn(each.kind, each.folder, each.suffix) for each in features if each.kind in MEDIA
        },
    )


def _columns(
    features: Sequence[Feature], header: Sequence[str], path: str, rows: Sequence[Sequence[str]], files: Files
) -> dict[str, Column]:
    by_place = list(zip(*rows, strict=True))
    return {feature.name: _column(feature, by_place[header.index(feature.header)], path, files) for feature in features}


def _column(feature: Feature, found: Sequence[str], path: str, files: Files) -> Column:
    import numpy as np

    if feature.kind == "number":
        numbers = np.array(values.numbers(found), np.float64)
        if feature.dtype == "int64":
            return np.nan_to_num(numbers, posinf=0, neginf=0).astype(np.int64)
        numbers[np.abs(numbers) >= values.MAX_FLOAT32] = np.nan
        return numbers.astype(np.float32)
    if feature.kind == "time":
        moments = {value: values.seconds(value) for value in set(found)}
        return np.array([moments[value] for value in found], np.int64)
    if feature.kind == "category" and feature.dtype == "int64":
        place_of = {name: number for number, name in enumerate(feature.classes)}
        labels = {value: place_of.get(values.as_class(value, place_of), -1) for value in set(found)}
        return np.array([labels[value] for value in found], np.int64)
    if feature.kind in MEDIA:
        place = FileColumn(feature.kind, feature.folder, feature.suffix)
        paths = [place.find(path, value, files) for value in found]
        return [Range(each, 0, files[each].size) for each in paths]
    if feature.kind == "text":
        return [value.encode() for value in found]
    classes = frozenset(feature.classes)
    names = {
        value: b"" if values.is_missing(value) else values.as_class(value, classes).encode() for value in set(found)
    }
    return [names[value] for value in found]
