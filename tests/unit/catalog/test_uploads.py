"""What fits an upload, and what a pack's bytes are checked for."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.catalog.domain.errors import ContentMismatch, PackWrong, TreeWrong
from modelyard.catalog.domain.names import parse_target
from modelyard.catalog.domain.uploads import (
    MAX_PACK_BYTES,
    MAX_PARTS,
    MIB,
    Pack,
    Part,
    Span,
    Upload,
    UploadState,
    canonical_entries,
    missing_part,
    part_bytes,
    place,
    spans_by_pack,
)
from modelyard.catalog.service.content import PackCheck
from modelyard.tree import Entry

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = "0" * 32


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def upload(*packs: Pack, base: str = "") -> Upload:
    target = parse_target("projects/p/datasets/d", "target")
    return Upload(ID, "p", "uid", target, UploadState.OPEN, packs, "users/a", NOW, NOW, base_version=base)


@given(st.integers(1, MAX_PACK_BYTES))
def test_every_pack_fits_into_the_parts_that_a_store_takes(size: int) -> None:
    part = part_bytes(size)

    assert part >= 8 * MIB
    assert part % MIB == 0
    assert -(-size // part) <= MAX_PARTS


def test_the_first_missing_part_is_named() -> None:
    pack = Pack(0, 20 * MIB)
    parts = [Part(1, "e", 8 * MIB), Part(2, "e", 8 * MIB), Part(3, "e", 4 * MIB)]

    assert missing_part(pack, parts) is None
    assert missing_part(pack, parts[:2]) == 3
    assert missing_part(pack, [parts[0], Part(2, "e", 1), parts[2]]) == 2


def test_an_entry_of_this_upload_gets_its_packs_lasting_name() -> None:
    entry = Entry("a", 3, sha(b"abc"), "0", 0)

    found = canonical_entries(upload(Pack(0, 3), Pack(1, 9, manifest=True)), [entry], set())

    assert found == [Entry("a", 3, sha(b"abc"), f"{ID}-0", 0)]


def test_a_renamed_file_may_lie_where_the_base_keeps_it_and_nowhere_else() -> None:
    base = Entry("old", 3, sha(b"abc"), "f-0", 7)
    its = upload(Pack(1, 9, manifest=True), base="v1")

    assert canonical_entries(its, [Entry("new", 3, sha(b"abc"), "f-0", 7)], {place(base)})
    for wrong in (
        Entry("new", 3, sha(b"abc"), "f-0", 8),
        Entry("new", 2, sha(b"abc"), "f-0", 7),
        Entry("new", 3, sha(b"abd"), "f-0", 7),
        Entry("new", 3, sha(b"abc"), "f-1", 7),
        Entry("new", 3, sha(b"abc"), "1", 0),  # the manifest's own pack
    ):
        with pytest.raises(TreeWrong):
            canonical_entries(its, [wrong], {place(base)})


def test_files_share_a_place_but_do_not_overlap() -> None:
    one, same = Entry("a", 3, sha(b"abc"), "p", 0), Entry("b", 3, sha(b"abc"), "p", 0)

    assert spans_by_pack([one, same], {"p"}) == {"p": [Span(0, 3, sha(b"abc"), "a")]}
    with pytest.raises(TreeWrong, match="overlap"):
        spans_by_pack([one, Entry("b", 3, sha(b"bcd"), "p", 1)], {"p"})
    with pytest.raises(TreeWrong, match="different hashes"):
        spans_by_pack([one, Entry("b", 3, sha(b"xyz"), "p", 0)], {"p"})


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=20), st.integers(1, 50), st.integers(0, 5))
def test_a_pack_is_checked_whatever_its_chunks_are(files: list[bytes], chunk: int, gap: int) -> None:
    spans, data = [], b""
    for number, content in enumerate(files):
        spans.append(Span(len(data), len(content), sha(content), str(number)))
        data += content + b"-" * gap
    check = PackCheck("p", spans)
    for start in range(0, len(data), chunk):
        check.feed(data[start : start + chunk])
    check.end()


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=8), st.data())
def test_one_flipped_bit_is_found_and_its_file_named(files: list[bytes], draw: st.DataObject) -> None:
    data = bytearray(b"".join(files))
    position = draw.draw(st.integers(0, len(data) - 1))
    spans, owner, offset = [], "", 0
    for number, content in enumerate(files):
        spans.append(Span(offset, len(content), sha(content), str(number)))
        if offset <= position < offset + len(content):
            owner = str(number)
        offset += len(content)
    data[position] ^= 1
    check = PackCheck("p", spans)

    with pytest.raises(ContentMismatch) as caught:
        check.feed(bytes(data))

    assert caught.value.facts["path"] == owner


def test_a_short_pack_is_found() -> None:
    check = PackCheck("p", [Span(0, 3, sha(b"abc"), "a")])
    check.feed(b"ab")

    with pytest.raises(PackWrong):
        check.end()
