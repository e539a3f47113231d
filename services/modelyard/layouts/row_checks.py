"""Which rows of a table are examples, and of which split: the same when a dataset is described and when it is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from modelyard.layouts import media, values
from modelyard.layouts.chunks import Problems
from modelyard.layouts.description import SplitRule
from modelyard.layouts.file_columns import FileColumn
from modelyard.layouts.files import Files
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.names import SPLIT_ALIASES
from modelyard.layouts.rows import Batch
from modelyard.layouts.splitting import FIELD_SEPARATOR, hash_split


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
    """Must not be missing."""
    numbers: Sequence[int] = ()
    times: Sequence[int] = ()
    known: Mapping[int, frozenset[str]] | None = None
    """Categories with all the values that they may have, besides a missing one."""
    media: Mapping[int, FileColumn] | None = None

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
            yield from (
                (at, f"has no value in column {self.header[place]!r}")
                for at, row in enumerate(rows)
                if values.is_missing(row[place])
            )
        if self.rule.by == "split_column":
            place = self.header.index(self.rule.column)
            yield from (
                (at, f"is of split {row[place]!r}; splits are train, validation and test")
                for at, row in enumerate(rows)
                if row[place].strip().lower() not in SPLIT_ALIASES
            )
        for place in self.numbers:
            yield from self._unreadable(rows, place, values.number, "no number")
        for place in self.times:
            yield from self._unreadable(rows, place, values.seconds, "no time")
        for place, known in (self.known or {}).items():
            yield from (
                (at, f"has {row[place]!r} in column {self.header[place]!r}, which is no class of the description")
                for at, row in enumerate(rows)
                if row[place].strip() not in known and not values.is_missing(row[place])
            )
        for place, column in (self.media or {}).items():
            for at, row in enumerate(rows):
                problem = _file_problem(column, batch.path, row[place], files)
                if problem:
                    yield at, f"column {self.header[place]!r}: {problem}"

    def _unreadable(
        self, rows: Sequence[Sequence[str]], place: int, parse: Callable[[str], object], what: str
    ) -> Iterator[tuple[int, str]]:
        for at, row in enumerate(rows):
            try:
                parse(row[place])
            except ValueError:
                yield at, f"has {row[place]!r} in column {self.header[place]!r}, which is {what}"


def _file_problem(column: FileColumn, table: str, value: str, files: Files) -> str:
    if values.is_missing(value):
        return "names no file"
    path = column.path(table, value)
    file = files.get(path)
    if file is None:
        return f"there is no file {path}"
    try:
        media.look(column.kind, file)
    except UnusableError as problem:
        return f"{path} {problem}"
    return ""
