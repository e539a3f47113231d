"""Categories and IDs, counted many at a time."""

from collections import Counter
from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from modelyard.templates.profile.frequencies import hash_bytes
from modelyard.templates.profile.room import Room
from modelyard.templates.profile.words import LONGEST, Words, keys

SHORT = st.binary(max_size=3)
TEXT = st.one_of(SHORT, st.binary(max_size=20), st.binary(min_size=LONGEST - 2, max_size=LONGEST + 9))
PORTIONS = st.lists(st.lists(TEXT, max_size=30), max_size=6)


def piece(texts: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    places = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=places[1:])
    return np.frombuffer(b"".join(texts), np.uint8), places


@given(st.lists(TEXT, min_size=1, max_size=40))
def test_two_values_have_one_key_only_where_they_are_equal(texts: list[bytes]) -> None:
    found = keys(*piece(texts)).tolist()
    assert len(set(found)) == len(set(texts))
    assert len(set(zip(texts, found, strict=True))) == len(set(texts))


def test_a_value_that_ends_in_zeros_is_not_the_shorter_one() -> None:
    texts = [b"a" + bytes(count) for count in range(20)]
    assert len(set(keys(*piece(texts)).tolist())) == 20


@given(PORTIONS)
def test_values_are_counted_by_split_and_hashed_by_their_bytes(portions: list[list[bytes]]) -> None:
    counted = Words(Room())
    for number, texts in enumerate(portions):
        hashes = counted.add("train" if number % 3 else "test", *piece(texts))
        expected = hash_bytes(texts)
        assert hashes.tolist() == [value if text else 0 for text, value in zip(texts, expected, strict=True)]
    counted.settle()
    for split, part in (("train", lambda number: number % 3), ("test", lambda number: not number % 3)):
        there = Counter(text for number, texts in enumerate(portions) if part(number) for text in texts if text)
        found = counted.by_split[split].most(10_000) if split in counted.by_split else []
        assert dict(found) == there
    assert counted.distinct.count == len(set(chain(*portions)) - {b""})


def test_counts_survive_when_more_values_come_than_are_remembered() -> None:
    counted = Words(Room(values=50))
    every: Counter[bytes] = Counter()
    for start in range(0, 1000, 20):
        texts = [b"often"] * 3 + [b"value %d" % (number % 400) for number in range(start, start + 20)]
        counted.add("train", *piece(texts))
        every.update(texts)
    counted.settle()
    (value, count), *_ = counted.by_split["train"].most(1)
    assert value == b"often"
    assert every[value] - counted.by_split["train"].error <= count <= every[value]
    assert counted.distinct.count == len(every)
