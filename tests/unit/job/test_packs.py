"""A tree's files where they lie, and how many files of this process are open for that."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.job.errors import DatasetDescriptionWrong
from modelyard.job.index import Index
from modelyard.job.indexing import MAX_OPEN_FILES, raise_open_files
from modelyard.job.packs import MAX_OPEN, PACKS_FOLDER, PackFiles, pack_path
from modelyard.job.trial import prepare_dataset
from modelyard.tree import Entry

PACKS = 5 * MAX_OPEN


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def few_open_files() -> Iterator[None]:
    """Those that are open now, as many as there are packs at once, and a few more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files() + MAX_OPEN + 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def files_in_packs(folder: Path, count: int) -> list[Entry]:
    """File n is the three bytes behind the first of pack n."""
    (folder / PACKS_FOLDER).mkdir()
    for number in range(count):
        pack_path(folder, f"p{number}").write_bytes(b"-%03d-" % number)
    return [Entry(f"files/{number}", 3, "0" * 64, f"p{number}", 1) for number in range(count)]


@pytest.mark.usefixtures("few_open_files")
def test_more_packs_than_may_be_open_are_read(tmp_path: Path) -> None:
    entries = files_in_packs(tmp_path, PACKS)
    before = open_files()
    with PackFiles(tmp_path, entries) as files:
        for number in (*range(PACKS), *reversed(range(PACKS))):
            assert files[f"files/{number}"].read(0, 9) == b"%03d" % number
            assert open_files() <= before + MAX_OPEN
        streams = [files[entry.path].open() for entry in entries]
        assert [stream.read() for stream in streams] == [b"%03d" % number for number in range(PACKS)]
        assert [files.place(entry.path) for entry in entries] == [(number, 1) for number in range(PACKS)]
    assert open_files() == before


def test_packs_that_are_read_by_turns_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = files_in_packs(tmp_path, MAX_OPEN)
    opened: list[object] = []
    open_for_real = os.open

    def counted(path: Path, flags: int) -> int:
        opened.append(path)
        return open_for_real(path, flags)

    monkeypatch.setattr(os, "open", counted)
    with PackFiles(tmp_path, entries) as files:
        for _ in range(3):
            for entry in entries:
                files[entry.path].read(0, 1)
    assert len(opened) == MAX_OPEN


def test_an_empty_file_is_in_no_pack_and_a_short_pack_is_named(tmp_path: Path) -> None:
    entries = files_in_packs(tmp_path, 1)
    with PackFiles(tmp_path, [Entry("empty", 0, "0" * 64, "nowhere", 7), *entries]) as files:
        assert (files["empty"].read(0, 9), files["empty"].open().read(), files.place("empty")) == (b"", b"", (0, 0))
        assert [path.name for path in files.packs] == ["p0"]
    with pytest.raises(DatasetDescriptionWrong, match="its pack ends at byte 5; the copy is incomplete"):
        PackFiles(tmp_path, [Entry("a", 5, "0" * 64, "p0", 1)])


@pytest.mark.usefixtures("few_open_files")
def test_more_columns_than_files_may_be_open_at_first_are_indexed(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    names = [f"x{number}" for number in range(soft)]
    rows = [",".join(str(number + row) for number in range(len(names))) for row in range(5)]
    prepare_dataset(tmp_path, {"a.csv": "\n".join([",".join(names), *rows]).encode()})
    assert len(Index(tmp_path).features) == len(names)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, MAX_OPEN_FILES), hard)


def test_a_limit_that_is_high_enough_stays() -> None:
    raise_open_files()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    raise_open_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
