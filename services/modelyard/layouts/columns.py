"""What all values of a column are, found out in one pass over portions of its rows."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modelyard.layouts.parsing import is_showable
from modelyard.layouts.values import MAX_FLOAT32, is_date, is_missing, is_number, number, with_one_writing

MAX_CATEGORIES = 1000
"""A column with more different values is a text."""
MAX_CATEGORY_LENGTH = 128
_MANY_ROWS = 40
_WORDS_OF_A_TEXT = 3
_SOME_TIME = (100_000_000, 4_102_444_800)
"""Seconds since 1970, from 1973 to 2100."""
_TESTS: Mapping[str, Callable[[str], bool]] = {"number": is_number, "date": is_date}


@dataclass(frozen=True, slots=True)
class Break:
    """Where a column stopped to be what it had been."""

    was: str
    """number, date"""
    path: str
    row: int
    value: str
    before: int
    """As many values had been that."""


@dataclass
class ColumnFacts:
    """Grows with every portion; memory does not, beyond the different values that a category may have."""

    most: int = MAX_CATEGORIES
    """As many different values are remembered."""
    present: int = 0
    """Rows with a value."""
    distinct: set[str] = field(default_factory=set)
    """The different values, stripped; empty once there are too many."""
    too_many: bool = False
    all_are: set[str] = field(default_factory=lambda: set(_TESTS))
    """What all values so far are: number, date."""
    whole: bool = True
    """All numbers so far are whole."""
    lowest: float = math.inf
    highest: float = -math.inf
    """Of whole numbers."""
    infinite: bool = False
    """Some number is none as float32."""
    longest: int = 0
    words: int = 0
    """Over the different values that were remembered."""
    showable: bool = True
    broke: Break | None = None
    _seen: set[str] = field(default_factory=set)
    """The different values as they are written."""
    _absent: set[str] = field(default_factory=set)
    """Those of them that mean there is none."""

    def add(self, path: str, rows: Sequence[int], values: Sequence[str]) -> None:
        """One portion: the numbers of its rows, and their values."""
        if self.too_many and self.all_are == {"number"} and self._are_floats(values):
            self.present += len(values)
            return
        fresh = set(values) - self._seen
        absent = set(filter(is_missing, fresh))
        fresh -= absent
        self._absent |= absent
        if fresh:
            self._test(path, rows, values, fresh)
            self._measure(fresh)
            self._remember(fresh, absent)
        self.present += len(values) - (sum(value in self._absent for value in values) if self._absent else 0)

    def _are_floats(self, values: Sequence[str]) -> bool:
        """The fast way for long columns of numbers: whether all are plain ones."""
        try:
            found = list(map(float, values))
        except ValueError:
            return False
        text = "".join(values)
        if "_" in text or "n" in text or "N" in text:
            return False
        self._bound(found)
        return True

    def _bound(self, numbers: Sequence[float]) -> None:
        self.infinite = self.infinite or max(map(abs, numbers)) >= MAX_FLOAT32
        if self.whole:
            self.whole = all(map(float.is_integer, numbers))
            self.lowest = min(self.lowest, min(numbers))
            self.highest = max(self.highest, max(numbers))

    def _test(self, path: str, rows: Sequence[int], values: Sequence[str], fresh: set[str]) -> None:
        for kind in sorted(self.all_are):
            test = _TESTS[kind]
            wrong = {value for value in fresh if not test(value)}
            if not wrong:
                continue
            self.all_are.discard(kind)
            at = next(at for at, value in enumerate(values) if value in wrong)
            before = self.present + sum(not is_missing(value) for value in values[:at])
            if before and not self.all_are:
                self.broke = Break(kind, path, rows[at], values[at], before)
        if "number" in self.all_are:
            finite = [found for found in map(number, fresh) if not math.isnan(found)]
            self._bound(finite or [0.0])
            self.infinite = self.infinite or len(finite) < len(fresh)

    def _measure(self, fresh: Iterable[str]) -> None:
        self.longest = max(self.longest, max(map(len, fresh)))
        if not self.too_many:
            self.words += sum(value.strip().count(" ") + 1 for value in fresh)
            self.showable = self.showable and all(is_showable(value.strip()) for value in fresh)

    def _remember(self, fresh: set[str], absent: set[str]) -> None:
        if self.too_many:
            return
        self._seen |= fresh | absent
        self.distinct |= {value.strip() for value in fresh}
        if len(self.distinct) > self.most and len(self.names) > self.most:
            self.too_many = True
            self.distinct, self._seen = set(), set()

    @property
    def names(self) -> set[str]:
        """The different values as classes have them: of numbers, `1` and `1.0` are one."""
        return with_one_writing(self.distinct) if "number" in self.all_are else self.distinct

    @property
    def are_numbers(self) -> bool:
        """All of them, and there are some."""
        return "number" in self.all_are and self.present > 0

    @property
    def are_dates(self) -> bool:
        """All of them, and there are some."""
        return "date" in self.all_are and self.present > 0

    @property
    def may_be_times(self) -> bool:
        """Whether they are whole numbers that may be seconds since 1970."""
        finite = self.whole and not self.infinite
        return self.are_numbers and finite and _SOME_TIME[0] <= self.lowest and self.highest <= _SOME_TIME[1]

    @property
    def are_texts(self) -> bool:
        """Whether what is neither a number nor a date is a text rather than the name of a category."""
        if self.too_many or self.longest > MAX_CATEGORY_LENGTH or not self.showable:
            return True
        if self.present >= _MANY_ROWS and 2 * len(self.distinct) > self.present:
            return True
        return self.words >= _WORDS_OF_A_TEXT * len(self.distinct) > 0

    def classes(self) -> tuple[str, ...]:
        """The different values: numbers by size, others by letter."""
        if self.are_numbers:
            return tuple(sorted(self.names, key=lambda name: (number(name), name)))
        return tuple(sorted(self.distinct))
