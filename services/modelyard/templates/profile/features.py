"""What each feature looks like, by its kind; values come in portions, split by split."""

from collections import Counter
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modelyard.layouts import Feature
from modelyard.layouts.chunks import MISSING_TIME
from modelyard.templates.profile.frequencies import Distinct, Frequencies, Hashes, hash_bytes, hash_numbers
from modelyard.templates.profile.numbers import Numbers
from modelyard.templates.profile.portions import Portion
from modelyard.templates.profile.room import Room
from modelyard.templates.profile.texts import readable
from modelyard.templates.profile.unreadable import Unreadable
from modelyard.templates.profile.words import Words, each_once

MOST_CLASSES = 1000
SHAPES = 50
_TEXTS_AT_ONCE = 1 << 10


class FeatureProfile(Protocol):
    """Takes portions, and says what was in them."""

    def add(self, portion: Portion, name: str) -> Hashes:
        """Take the portion's values of the feature `name`; answers a hash of each."""

    def found(self) -> dict[str, Any]:
        """As the statistics have it, without name and kind."""


class Values:
    """Texts that are words of their own: categories, IDs."""

    def __init__(self, room: Room) -> None:
        self.count = self.missing = 0
        self._room = room
        self._words = Words(room)

    def add(self, portion: Portion, name: str) -> Hashes:
        data, places = portion.piece(name)
        there = int(np.count_nonzero(np.diff(places)))
        self.count += there
        self.missing += len(portion) - there
        return self._words.add(portion.split, data, places)

    def found(self) -> dict[str, Any]:
        self._words.settle()
        every, distinct = Frequencies(self._room.values), self._words.distinct
        for of_split in self._words.by_split.values():
            every.take(of_split)
        return {
            "count": self.count,
            "missingCount": self.missing,
            "distinctCount": distinct.count,
            "distinctEstimated": distinct.estimated,
            "topValues": _counted(every.most(self._room.top)),
            "splitValues": [
                {"split": split, "values": _counted(values.most(self._room.top))}
                for split, values in self._words.by_split.items()
            ],
        }


class Classes:
    """Numbers of classes: one an example, as many as the shape says, or any number (the labels of boxes)."""

    def __init__(self, feature: Feature) -> None:
        self._names = feature.classes
        self._ragged = None in feature.shape
        self._by_split: dict[str, NDArray[np.int64]] = {}
        self.examples = self.empty = self.unknown = 0

    def add(self, portion: Portion, name: str) -> Hashes:
        values = portion.values(name)
        labels = values.reshape(-1)
        self.examples += len(values)
        if self._ragged:
            labels = np.concatenate([np.zeros(0, "<i8"), *(np.frombuffer(each, "<i8") for each in values)])
            self.empty += sum(1 for each in values if not each)
        known = labels[(labels >= 0) & (labels < len(self._names))]
        self.unknown += len(labels) - len(known)
        counts = np.bincount(known, minlength=len(self._names))
        self._by_split[portion.split] = self._by_split.get(portion.split, np.zeros(len(counts), np.int64)) + counts
        return hash_bytes(values) if self._ragged else hash_numbers(values)

    def found(self) -> dict[str, Any]:
        total = sum(self._by_split.values(), np.zeros(len(self._names), np.int64))
        # The same classes of every split, or one that is rare here would look like one that is not there.
        kept = np.sort(np.argsort(-total, kind="stable")[:MOST_CLASSES])
        return {
            "count": int(total.sum()),
            "missingCount": self.unknown,
            "distinctCount": int((total > 0).sum()),
            "topValues": self._classes(total, kept),
            "splitValues": [
                {"split": split, "values": self._classes(counts, kept)} for split, counts in self._by_split.items()
            ],
        }

    def _classes(self, counts: NDArray[np.int64], kept: NDArray[np.int64]) -> list[dict[str, Any]]:
        """The most frequent first, those without examples too: they are what somebody should see."""
        order = kept[np.argsort(-counts[kept], kind="stable")]
        return [{"value": readable(self._names[at].encode()), "count": int(counts[at])} for at in order]


class Measures:
    """Numbers: one an example, or several."""

    def __init__(self, feature: Feature, room: Room) -> None:
        self._whole = feature.dtype == "int64"
        self._time = feature.kind == "time"
        self._shape = tuple(size or 0 for size in feature.shape)
        self._ragged = None in feature.shape
        self._dtype = "<i8" if self._whole else "<f4"
        self.numbers = Numbers(1.0 if self._whole else 0.0, room.numbers)
        self.distinct = Distinct(room.hashes)
        self.count = self.missing = 0
        self._lengths = Numbers(1.0, drawn=0)

    def add(self, portion: Portion, name: str) -> Hashes:
        values = portion.values(name)
        if self._ragged:
            hashes = hash_bytes(values)
            numbers = np.concatenate([np.zeros(0, self._dtype), *(np.frombuffer(each, self._dtype) for each in values)])
            self._lengths.add(np.array([len(each) // np.dtype(self._dtype).itemsize for each in values]))
            missing = sum(1 for each in values if not each)
        else:
            hashes, numbers = hash_numbers(values), values
            missing = self._missing(values)
            if self._time:
                numbers = values[values != MISSING_TIME]
        self.missing += missing
        self.count += len(values) - missing
        self.numbers.add(numbers)
        self.distinct.add(hashes)
        return hashes

    def _missing(self, values: NDArray[Any]) -> int:
        """Examples that have no number at all."""
        if self._time:
            return int((values == MISSING_TIME).sum())
        if self._whole:
            return 0
        return int(np.isnan(values.reshape(len(values), -1)).all(1).sum())

    def found(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "count": self.count,
            "missingCount": self.missing,
            "distinctCount": max(0, self.distinct.count - (self.missing > 0)),
            "distinctEstimated": self.distinct.estimated,
            "number": self.numbers.found(),
        }
        if self._ragged and self._lengths.count:
            found["lengths"] = [self._lengths.length("values")]
        if self._shape and not self._ragged:
            found["shapes"] = [{"shape": list(self._shape), "count": self.count}]
        return found


class Boxes:
    """Boxes of each example: x_min, y_min, x_max, y_max in pixels."""

    def __init__(self) -> None:
        self.count = self.empty = self.flat = 0
        self._many, self._width, self._height = Numbers(1.0, drawn=0), Numbers(drawn=0), Numbers(drawn=0)

    def add(self, portion: Portion, name: str) -> Hashes:
        values = portion.values(name)
        each = [np.frombuffer(value, "<f4").reshape(-1, 4) for value in values]
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *each])
        self._many.add(np.array([len(some) for some in each], np.float64))
        self.empty += sum(1 for some in each if not len(some))
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        self.flat += int(((width <= 0) | (height <= 0)).sum())
        self._width.add(width)
        self._height.add(height)
        self.count += len(values)
        return hash_bytes(values)

    def found(self) -> dict[str, Any]:
        measures = (("boxes", self._many), ("width", self._width), ("height", self._height))
        return {
            "count": self.count - self.empty,
            "missingCount": self.empty,
            "lengths": [numbers.length(unit) for unit, numbers in measures if numbers.count],
        }


class Texts:
    """Texts: how long they are, their words, their values."""

    def __init__(self, unreadable: Unreadable, room: Room) -> None:
        self._unreadable = unreadable
        self.count = self.missing = 0
        self.characters, self.words = Numbers(1.0, drawn=0), Numbers(1.0, drawn=0)
        self.distinct = Distinct(room.hashes)
        self._frequencies = Frequencies(room.values)
        self._top = room.top

    def add(self, portion: Portion, name: str) -> Hashes:
        texts, which = each_once(*portion.piece(name))
        counts = np.bincount(which, minlength=len(texts))
        lengths = self._lengths(portion, texts, which)
        there = lengths[which] > 0
        self.missing += sum(int(counts[at]) for at, text in enumerate(texts) if not text)
        self.count += int(there.sum())
        words = np.zeros(len(texts), np.int64)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            stop = min(start + _TEXTS_AT_ONCE, len(texts))
            split = [texts[at].split() if lengths[at] else [] for at in range(start, stop)]
            words[start:stop] = [len(each) for each in split]
            self._count(split, counts[start:stop].tolist())
        self.characters.add(lengths[which][there])
        self.words.add(words[which][there])
        hashes = hash_bytes(texts)
        self.distinct.add(hashes[lengths > 0])
        return hashes[which]

    def _lengths(self, portion: Portion, texts: list[bytes], which: NDArray[np.int64]) -> NDArray[np.int64]:
        """Characters; 0 of those that are no UTF-8, which are listed."""
        lengths = np.zeros(len(texts), np.int64)
        wrong: dict[int, str] = {}
        for at, text in enumerate(texts):
            try:
                lengths[at] = len(text.decode())
            except UnicodeDecodeError as error:
                wrong[at] = f"is no UTF-8: byte 0x{text[error.start]:02x} at {error.start:,}"
        if wrong:
            for row in np.flatnonzero(np.isin(which, list(wrong))).tolist():
                self._unreadable.add(portion, row, wrong[int(which[row])])
        return lengths

    def _count(self, split: list[list[bytes]], counts: list[int]) -> None:
        several: Counter[bytes] = Counter()
        for words, count in zip(split, counts, strict=True):
            if count > 1:
                for word in words:
                    several[word] += count
        self._frequencies.add_counted(several)
        self._frequencies.add(
            chain.from_iterable(words for words, count in zip(split, counts, strict=True) if count == 1)
        )

    def found(self) -> dict[str, Any]:
        measures = (("characters", self.characters), ("words", self.words))
        return {
            "count": self.count,
            "missingCount": self.missing,
            "distinctCount": self.distinct.count,
            "distinctEstimated": self.distinct.estimated,
            "lengths": [numbers.length(unit) for unit, numbers in measures if numbers.count],
            "topValues": _counted(self._frequencies.most(self._top)),
        }


def _counted(values: list[tuple[bytes, int]]) -> list[dict[str, Any]]:
    return [{"value": readable(value), "count": count} for value, count in values]
