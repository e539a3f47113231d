"""What each feature looks like, by its kind; values come in portions, split by split."""

from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modelyard.layouts import Feature
from modelyard.layouts.chunks import MISSING_TIME
from modelyard.templates.profile.frequencies import Distinct, Frequencies, Hashes, hash_bytes, hash_numbers
from modelyard.templates.profile.numbers import Numbers
from modelyard.templates.profile.portions import Portion
from modelyard.templates.profile.texts import readable
from modelyard.templates.profile.unreadable import Unreadable

TOP = 100
"""So many of the most frequent values are kept; of a target's classes all, up to MOST_CLASSES."""
MOST_CLASSES = 1000
SHAPES = 50
_TEXTS_AT_ONCE = 1 << 10
REMEMBERED = 1 << 16
"""Hashes of values that are kept for the next time."""


class FeatureProfile(Protocol):
    """Takes portions, and says what was in them."""

    def add(self, portion: Portion, values: NDArray[Any]) -> Hashes:
        """Answers a hash of each value."""

    def found(self) -> dict[str, Any]:
        """As the statistics have it, without name and kind."""


class Values:
    """Texts that are words of their own: categories, IDs."""

    def __init__(self) -> None:
        self.count = self.missing = 0
        self.by_split: dict[str, Frequencies] = {}
        self.distinct = Distinct()
        self._known: dict[bytes, int] = {b"": 0}

    def add(self, portion: Portion, values: NDArray[Any]) -> Hashes:
        texts = values.tolist()
        there = [text for text in texts if text]
        self.count += len(there)
        self.missing += len(texts) - len(there)
        self.by_split.setdefault(portion.split, Frequencies()).add(there)
        self._learn(set(there))
        return np.fromiter(map(self._known.__getitem__, texts), np.uint64, len(texts))

    def _learn(self, values: set[bytes]) -> None:
        new = list(values - self._known.keys())
        if not new:
            return
        if len(self._known) + len(new) > REMEMBERED:
            self._known = {b"": 0}
            new = list(values)
        hashes = hash_bytes(new)
        self.distinct.add(hashes)
        self._known.update(zip(new, hashes.tolist(), strict=True))

    def found(self) -> dict[str, Any]:
        every = Frequencies()
        for of_split in self.by_split.values():
            every.take(of_split)
        return {
            "count": self.count,
            "missingCount": self.missing,
            "distinctCount": self.distinct.count,
            "distinctEstimated": self.distinct.estimated,
            "topValues": _counted(every.most(TOP)),
            "splitValues": [
                {"split": split, "values": _counted(values.most(TOP))} for split, values in self.by_split.items()
            ],
        }


class Classes:
    """Numbers of classes: one an example, or several (the labels of boxes)."""

    def __init__(self, feature: Feature) -> None:
        self._names = feature.classes
        self._several = feature.shape != ()
        self._by_split: dict[str, NDArray[np.int64]] = {}
        self.examples = self.empty = self.unknown = 0

    def add(self, portion: Portion, values: NDArray[Any]) -> Hashes:
        labels = (
            np.concatenate([np.zeros(0, "<i8"), *(np.frombuffer(each, "<i8") for each in values)])
            if (self._several)
            else values
        )
        self.examples += len(values)
        if self._several:
            self.empty += sum(1 for each in values if not each)
        known = labels[(labels >= 0) & (labels < len(self._names))]
        self.unknown += len(labels) - len(known)
        counts = np.bincount(known, minlength=len(self._names))
        self._by_split[portion.split] = self._by_split.get(portion.split, np.zeros(len(counts), np.int64)) + counts
        return hash_bytes(values) if self._several else hash_numbers(values)

    def found(self) -> dict[str, Any]:
        total = sum(self._by_split.values(), np.zeros(len(self._names), np.int64))
        return {
            "count": int(total.sum()),
            "missingCount": self.unknown,
            "distinctCount": int((total > 0).sum()),
            "topValues": self._classes(total),
            "splitValues": [
                {"split": split, "values": self._classes(counts)} for split, counts in self._by_split.items()
            ],
        }

    def _classes(self, counts: NDArray[np.int64]) -> list[dict[str, Any]]:
        """Those without examples too: they are what somebody should see."""
        order = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
        return [{"value": readable(self._names[at].encode()), "count": int(counts[at])} for at in order]


class Measures:
    """Numbers: one an example, or several."""

    def __init__(self, feature: Feature) -> None:
        self._whole = feature.dtype == "int64"
        self._time = feature.kind == "time"
        self._shape = tuple(size or 0 for size in feature.shape)
        self._ragged = None in feature.shape
        self._dtype = "<i8" if self._whole else "<f4"
        self.numbers = Numbers(1.0 if self._whole else 0.0)
        self.distinct = Distinct()
        self.count = self.missing = 0
        self._lengths = Numbers(1.0)

    def add(self, portion: Portion, values: NDArray[Any]) -> Hashes:
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
        self._many, self._width, self._height = Numbers(1.0), Numbers(), Numbers()

    def add(self, portion: Portion, values: NDArray[Any]) -> Hashes:
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

    def __init__(self, unreadable: Unreadable) -> None:
        self._unreadable = unreadable
        self.count = self.missing = 0
        self.characters, self.words = Numbers(1.0), Numbers(1.0)
        self.distinct = Distinct()
        self._frequencies = Frequencies()

    def add(self, portion: Portion, values: NDArray[Any]) -> Hashes:
        texts = values.tolist()
        there = [text for text in texts if text]
        try:
            lengths = [len(text.decode()) for text in there]
        except UnicodeDecodeError:
            there = self._readable(portion, texts)
            lengths = [len(text.decode()) for text in there]
        self.missing += texts.count(b"")
        self.count += len(there)
        counts: list[int] = []
        for start in range(0, len(there), _TEXTS_AT_ONCE):
            split = [text.split() for text in there[start : start + _TEXTS_AT_ONCE]]
            counts += map(len, split)
            self._frequencies.add(chain.from_iterable(split))
        self.characters.add(np.array(lengths, np.float64))
        self.words.add(np.array(counts, np.float64))
        hashes = hash_bytes(texts)
        self.distinct.add(hashes)
        return hashes

    def _readable(self, portion: Portion, texts: list[bytes]) -> list[bytes]:
        """Those that are UTF-8; the others are listed."""
        good = []
        for row, text in enumerate(texts):
            try:
                text.decode()
            except UnicodeDecodeError as error:
                reason = f"is no UTF-8: byte 0x{text[error.start]:02x} at {error.start:,}"
                self._unreadable.add(portion.split, portion.origin(row), reason)
            else:
                good += [text] if text else []
        return good

    def found(self) -> dict[str, Any]:
        measures = (("characters", self.characters), ("words", self.words))
        return {
            "count": self.count,
            "missingCount": self.missing,
            "distinctCount": self.distinct.count,
            "distinctEstimated": self.distinct.estimated,
            "lengths": [numbers.length(unit) for unit, numbers in measures if numbers.count],
            "topValues": _counted(self._frequencies.most(TOP)),
        }


def _counted(values: list[tuple[bytes, int]]) -> list[dict[str, Any]]:
    return [{"value": readable(value), "count": count} for value, count in values]
