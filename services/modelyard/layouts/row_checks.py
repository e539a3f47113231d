"""Which rows of a table are examples, and of which split: the same when a dataset is described and when it is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from modelyard.layouts import media, values
from modelyard.layouts.chunks import Problems
from modelyard.layouts.description import SplitRule
from modelyard.layouts.file_columns import FileColumn
from modelyard.layouts.files import Files
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.names import SPLIT_ALIASES
from modelyard.layouts.rows import Batch
from modelyard.layouts.splitting import FIELD_SEPARATOR, hash_split

ImageShape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Usable:
    """The examples of a batch: the rows' numbers, the rows, and the split of each."""

    numbers: Sequence[int]
    rows: Sequence[Sequence[str]]
    splits: Sequence[str]

    def by_split(self) -> Iterator[tuple[str, Sequence[int], Sequence[Sequence[str]]]]:
        """The same, split by split."""
        for name in dict.fromkeys(self.splits):
            places = [at for at, split in enumerate(self.splits) if split == name]
            yield name, [self.numbers[at] for at in places], [self.rows[at] for at in places]


@dataclass(frozen=True, slots=True)
class RowChecks:
    """What a row needs to be an example; columns by their places."""

    header: Sequence[str]
    rule: SplitRule
    required: Sequence[int] = ()
    """Must not be missing; a number of these must not be infinite either."""
    numbers: Sequence[int] = ()
    times: Sequence[int] = ()
    known: Mapping[int, frozenset[str]] | None = None
    """Categories with all the values that they may have, besides a missing one."""
    media: Mapping[int, FileColumn] | None = None
    shapes: dict[int, ImageShape] = field(default_factory=dict)
    """Of the images that a column names, as far as they are the same; filled as rows are looked at."""

    def usable(self, batch: Batch, split: str, files: Files, problems: Problems) -> Usable:
        """The rows that are examples. `split` is the file's, "" where rows say it.

        What is wrong with the other rows goes to `problems`, one reason a row.
        """
        wrong = self._wrong(batch, files)
        for at in sorted(wrong):
            problems.add(batch.path, batch.numbers[at], wrong[at])
        split_of = self._split_of(split)
        if not wrong:
            return Usable(batch.numbers, batch.rows, [split_of(row) for row in batch.rows])
        good = [at for at in range(len(batch.rows)) if at not in wrong]
        rows = [batch.rows[at] for at in good]
        return Usable([batch.numbers[at] for at in good], rows, [split_of(row) for row in rows])

    def _split_of(self, split: str) -> Callable[[Sequence[str]], str]:
        if split:
            return lambda row: split
        held_out = self.rule.held_out
        if self.rule.by == "split_column":
            at = self.header.index(self.rule.column)
            return lambda row: SPLIT_ALIASES[row[at].strip().lower()]
        if self.rule.by == "column":
            at = self.header.index(self.rule.column)
            return lambda row: hash_split(row[at].strip(), held_out)
        return lambda row: hash_split(FIELD_SEPARATOR.join(row), held_out)

    def _wrong(self, batch: Batch, files: Files) -> dict[int, str]:
        """What is wrong with which row of the batch."""
        wrong: dict[int, str] = {}
        for at, problem in self._problems(batch, files):
            wrong.setdefault(at, problem)
        return wrong

    def _problems(self, batch: Batch, files: Files) -> Iterator[tuple[int, str]]:
        rows = batch.rows
        for place in self.required:
            yield from _where(
                rows, place, values.is_missing, lambda value, name: f"has no value in column {name}", self
            )
            if place in self.numbers:
                yield from _where(rows, place, values.is_infinite, _no("finite number of 32 bits"), self)
        if self.rule.by == "split_column":
            yield from _where(
                rows,
                self.header.index(self.rule.column),
                lambda value: value.strip().lower() not in SPLIT_ALIASES,
                lambda value, name: f"is of split {value!r}; splits are train, validation and test",
                self,
            )
        for place in self.numbers:
            if not values.are_plain_numbers([row[place] for row in rows]):
                yield from _where(rows, place, _is_no(values.number), _no("number"), self)
        for place in self.times:
            yield from _where(rows, place, _is_no(values.seconds), _no("time"), self)
        for place, known in (self.known or {}).items():
            yield from _where(rows, place, _is_unknown(known), _no("class of the description"), self)
        for place, column in (self.media or {}).items():
            for at, row in enumerate(rows):
                problem = self._file_problem(place, column, batch.path, row[place], files)
                if problem:
                    yield at, f"column {self.header[place]!r}: {problem}"

    def _file_problem(self, place: int, column: FileColumn, table: str, value: str, files: Files) -> str:
        if values.is_missing(value):
            return "names no file"
        path = column.find(table, value, files)
        file = files.get(path)
        if file is None:
            return f"there is no file {path}"
        try:
            _, shape = media.look(column.kind, file)
        except UnusableError as problem:
            return f"{path} {problem}"
        if shape:
            self.shapes[place] = media.merged(self.shapes[place], shape) if place in self.shapes else shape
        return ""


def _where(
    rows: Sequence[Sequence[str]],
    place: int,
    is_wrong: Callable[[str], bool],
    say: Callable[[str, str], str],
    checks: RowChecks,
) -> Iterator[tuple[int, str]]:
    """The rows whose value in a column is wrong; every different value is looked at once."""
    wrong = set(filter(is_wrong, {row[place] for row in rows}))
    if wrong:
        name = repr(checks.header[place])
        yield from ((at, say(row[place], name)) for at, row in enumerate(rows) if row[place] in wrong)


def _is_no(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def is_no(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return True
        return False

    return is_no


def _is_unknown(known: frozenset[str]) -> Callable[[str], bool]:
    return lambda value: values.as_class(value, known) not in known and not values.is_missing(value)


def _no(what: str) -> Callable[[str, str], str]:
    return lambda value, name: f"has {value!r} in column {name}, which is no {what}"
