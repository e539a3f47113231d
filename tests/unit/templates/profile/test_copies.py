"""Copies and leakage, found among hashes that lie sorted on disk."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.templates.profile import sorting
from modelyard.templates.profile.copies import GROUPS, SHOWN, Contents, compare, sorted_contents
from modelyard.templates.profile.frequencies import Hashes, hash_numbers
from modelyard.templates.profile.sorting import Sorted, ranges

SPLITS = ("train", "validation", "test")
NUMBERS = st.lists(st.integers(0, 40), max_size=120)


@pytest.fixture(autouse=True)
def _short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few numbers already are many runs."""
    monkeypatch.setattr(sorting, "RUN", 16)


def of(numbers: list[int]) -> Hashes:
    return hash_numbers(np.array(numbers, np.int64))


def taken(folder: Path, numbers: list[int], portion: int = 7) -> Sorted:
    made = Sorted(folder)
    for start in range(0, len(numbers), portion):
        made.add(of(numbers[start : start + portion]))
    return made


@given(st.lists(st.integers(0, 1000), max_size=200))
def test_hashes_come_back_in_order_each_once(tmp_path_factory: pytest.TempPathFactory, numbers: list[int]) -> None:
    made = taken(tmp_path_factory.getbasetemp(), numbers)
    parts = [made.upto(last) for last in ranges(len(made))]
    records = np.concatenate(parts)
    assert (np.diff(records["hash"].astype(object)) >= 0).all()
    counts: Counter[int] = Counter()
    for record in records:
        counts[int(record["hash"])] += int(record["count"])
    assert counts == Counter(of(numbers).tolist())
    assert list(ranges(len(made)))[-1] == (1 << 64) - 1
    made.close()


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_copies_and_leaks_are_those_that_one_finds_by_hand(
    tmp_path_factory: pytest.TempPathFactory,
    train: list[int],
    validation: list[int],
    test: list[int],
    earlier_test: list[int],
) -> None:
    folder = tmp_path_factory.getbasetemp()
    numbers = {name: each for name, each in zip(SPLITS, (train, validation, test), strict=True) if each}
    before = {"test": taken(folder, earlier_test)} if earlier_test else {}
    splits = {name: taken(folder, each) for name, each in numbers.items()}
    duplicates, leakages = compare(splits, {"projects/p/datasets/d/versions/1": before})
    assert duplicates.count == sum(len(each) - len(set(each)) for each in numbers.values())
    for split, each in numbers.items():
        sizes = sorted((count for count in Counter(each).values() if count > 1), reverse=True)[:GROUPS]
        assert [size for size, _ in duplicates.groups[split]] == sizes
        for size, rows in duplicates.groups[split]:
            same = [row for row, number in enumerate(each) if number == each[rows[0]]]
            assert (size, rows) == (len(same), same[:SHOWN])
    found = {(leak.split, leak.other, bool(leak.version)): leak for leak in leakages}
    for at, split in enumerate(numbers):
        for other in list(numbers)[:at]:
            rows = [row for row, number in enumerate(numbers[split]) if number in numbers[other]]
            leak = found.pop((split, other, False), None)
            assert (leak.count if leak else 0) == len(rows)
            if leak:
                others = [numbers[other].index(numbers[split][row]) for row in rows]
                assert leak.first.tolist() == [list(each) for each in zip(rows, others, strict=True)][:SHOWN]
    rows = [row for row, number in enumerate(train) if number in earlier_test]
    leak = found.pop(("train", "test", True), None)
    assert (leak.count if leak else 0, leak.first[:, 0].tolist() if leak else []) == (len(rows), rows[:SHOWN])
    assert not found


def test_a_later_profile_reads_what_an_earlier_one_has_left(tmp_path: Path) -> None:
    written = Contents(tmp_path / "content")
    written.add("train", of([1, 2, 3]))
    written.add("train", of([4]))
    written.add("test", of([5]))
    written.close()
    read = sorted_contents(tmp_path / "content", tmp_path)
    assert {name: len(each) for name, each in read.items()} == {"train": 4, "test": 1}
    assert read["train"].upto((1 << 64) - 1)["hash"].tolist() == sorted(of([1, 2, 3, 4]).tolist())
    assert sorted_contents(tmp_path / "nothing", tmp_path) == {}
    for each in (*written.sorted.values(), *read.values()):
        each.close()
    assert sorted(path.name for path in (tmp_path / "content").iterdir()) == ["test.npy", "train.npy"]


def test_what_is_no_earlier_profile_says_so(tmp_path: Path) -> None:
    np.save(tmp_path / "train.npy", np.zeros(3, np.float32))
    with pytest.raises(ValueError, match=r"train\.npy .* holds no hashes but float32"):
        sorted_contents(tmp_path, tmp_path)
