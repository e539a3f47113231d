import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.tree import (
    PAGE_ENTRIES,
    Entry,
    File,
    Manifest,
    ManifestDamaged,
    PathInvalid,
    TreeError,
    TreeInvalid,
    diff,
    digest,
    encode_manifest,
    plan_packs,
    validate_path,
    validate_paths,
)

CONTENTS = [b"", b"a", b"bb", b"ccc" * 5, bytes(range(40))]
SEGMENT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="/"), min_size=1, max_size=6
)


def file(path: str, content: bytes) -> File:
    return File(path, len(content), hashlib.sha256(content).hexdigest())


def is_valid(paths: list[str]) -> bool:
    try:
        validate_paths(paths)
    except TreeError:
        return False
    return True


PATHS = st.lists(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), unique=True, max_size=12).filter(is_valid)
FOLDERS = PATHS.flatmap(
    lambda paths: st.tuples(*(st.sampled_from(CONTENTS) for _ in paths)).map(
        lambda contents: dict(zip(paths, contents, strict=True))
    )
)


def files(folder: dict[str, bytes]) -> list[File]:
    return [file(path, content) for path, content in folder.items()]


@given(FOLDERS, st.integers(1, 60))
def test_packs_hold_every_file_once_at_the_place_its_entry_says(folder: dict[str, bytes], pack_bytes: int) -> None:
    plan = plan_packs(files(folder), prefix="p", pack_bytes=pack_bytes)
    packs = {}
    for pack in plan.packs:
        packs[pack.pack] = b"".join(folder[entry.path] for entry in pack.files)
        assert len(packs[pack.pack]) == pack.size
        assert pack.size <= pack_bytes or len(pack.files) == 1
    assert [entry.path for entry in plan.entries] == sorted(folder)
    for entry in plan.entries:
        content = packs[entry.pack][entry.offset : entry.offset + entry.size] if entry.pack else b""
        assert content == folder[entry.path]
    assert sum(pack.size for pack in plan.packs) == sum(len(content) for content in set(folder.values()))


@given(FOLDERS, st.randoms(use_true_random=False))
def test_a_digest_depends_on_content_and_not_on_order_or_packs(folder: dict[str, bytes], random: object) -> None:
    wide, narrow = (plan_packs(files(folder), pack_bytes=size).entries for size in (1000, 3))
    expected = hashlib.sha256()
    for path in sorted(folder, key=str.encode):
        expected.update(path.encode() + b"\0" + str(len(folder[path])).encode() + b"\0")
        expected.update(hashlib.sha256(folder[path]).hexdigest().encode() + b"\n")
    assert digest(wide) == digest(reversed(narrow)) == f"sha256:{expected.hexdigest()}"


@given(FOLDERS)
def test_a_manifest_reads_back_what_was_written(folder: dict[str, bytes]) -> None:
    entries = list(plan_packs(files(folder)).entries)
    data = encode_manifest(reversed(entries))
    assert data == encode_manifest(entries)
    manifest = Manifest.from_bytes(data)
    assert list(manifest.entries()) == manifest.verify() == entries
    assert (manifest.entry_count, manifest.bytes) == (len(entries), sum(entry.size for entry in entries))
    assert manifest.digest == digest(entries)
    for entry in entries:
        assert manifest.find(entry.path) == entry
        assert list(manifest.entries(after=entry.path)) == [other for other in entries if other.path > entry.path]
        assert manifest.find(entry.path + "~") == next((e for e in entries if e.path == entry.path + "~"), None)


@given(FOLDERS, FOLDERS)
def test_a_diff_sends_only_content_that_the_base_lacks(old: dict[str, bytes], new: dict[str, bytes]) -> None:
    base = plan_packs(files(old), prefix="old").entries
    change = diff(base, files(new))
    plan = plan_packs(change.missing, prefix="new")
    assert digest([*change.kept, *plan.entries]) == digest(files(new))
    assert {file.sha256 for file in change.missing}.isdisjoint(entry.sha256 for entry in base)
    places = {(entry.sha256, entry.pack, entry.offset) for entry in base}
    assert all((e.sha256, e.pack, e.offset) in places for e in change.kept if e.size)
    assert set(change.removed) == set(old) - set(new)


def test_a_page_is_one_range_read() -> None:
    entries = [Entry(f"f{n:05}", 1, "a" * 64, "p0", n) for n in range(2 * PAGE_ENTRIES + 1)]
    data = encode_manifest(entries)
    reads: list[int] = []

    def read(offset: int, length: int) -> bytes:
        reads.append(length)
        return data[offset : offset + length]

    manifest = Manifest(read, len(data))
    assert len(reads) == 2
    assert manifest.find("f01500") == entries[1500]
    assert len(reads) == 3
    assert [len(manifest.page(n)) for n in range(len(manifest.pages))] == [PAGE_ENTRIES, PAGE_ENTRIES, 1]


@given(st.data())
def test_a_damaged_manifest_is_noticed(data: st.DataObject) -> None:
    entries = plan_packs([file(f"class/{n}.png", bytes([n]) * n) for n in range(9)]).entries
    whole = encode_manifest(entries)
    damaged = bytearray(whole)
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        read = Manifest.from_bytes(bytes(damaged)).verify()
    except TreeError:
        return
    # The digest covers paths, sizes and hashes; places are checked against the bytes themselves when they are read.
    assert [(e.path, e.size, e.sha256) for e in read] == [(e.path, e.size, e.sha256) for e in entries]


@pytest.mark.parametrize("cut", [0, 7, 8, 40])
def test_a_cut_off_manifest_says_so(cut: int) -> None:
    whole = encode_manifest([Entry("a", 1, "a" * 64, "p", 0)])
    with pytest.raises(ManifestDamaged):
        Manifest.from_bytes(whole[:cut])


def test_a_manifest_of_a_later_format_is_refused_by_its_number() -> None:
    index = json.dumps({"format": 2}).encode() + b"\n"
    with pytest.raises(ManifestDamaged, match="format 2"):
        Manifest.from_bytes(index + len(index).to_bytes(8, "big"))


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", ".", "a/..", "../a", "a/./b", "a\nb", "a\x00b", "a\x7fb", "e\u0301", "x" * 1025, "\ud800"],
)
def test_a_path_that_no_tree_may_hold_is_refused(path: str) -> None:
    with pytest.raises(PathInvalid) as caught:
        validate_path(path)
    assert caught.value.path == path


@pytest.mark.parametrize("path", ["a", "a b/ç/..c/.d", "x" * 1024, "a\\b", "数/字.png"])
def test_ordinary_paths_are_accepted(path: str) -> None:
    validate_path(path)


def test_a_file_cannot_also_be_a_folder() -> None:
    with pytest.raises(TreeInvalid, match="'a/b' is also a folder"):
        validate_paths(["a.b", "a/b", "a/b/c"])
    with pytest.raises(TreeInvalid, match="occurs twice"):
        validate_paths(["a", "a"])


@pytest.mark.parametrize(
    "entry",
    [
        Entry("a", -1, "a" * 64, "p", 0),
        Entry("a", 1, "A" * 64, "p", 0),
        Entry("a", 1, "a" * 64, "", 0),
        Entry("a", 1, "a" * 64, "p", -1),
        Entry("a", 0, "a" * 64, "", 0),
    ],
)
def test_an_entry_that_cannot_be_is_refused(entry: Entry) -> None:
    with pytest.raises(TreeInvalid):
        encode_manifest([entry])
