import codecs
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.layouts import DataUnreadable, Files, LayoutError, LayoutUnknown, Range, SplitRule, text_files
from modelyard.layouts.chunks import Problems
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.media import read_text
from modelyard.layouts.reading import read
from modelyard.layouts.text_files import lines
from tests.support.trees import InMemory, described, detected, tree, whole


def test_each_line_of_a_text_is_an_example_and_lies_where_it_is() -> None:
    files: dict[str, str | bytes] = {
        "README.txt": "about",
        "corpus.txt": "".join(f"line {at}\r\n\n" for at in range(30)),
    }
    description, rows, _ = whole(files)
    assert (description.modality, description.layout, description.files) == ("text", "lines", {"corpus.txt": ""})
    assert rows["train"].columns["text"][0] == b"line 0"
    assert rows["train"].origins[:2] == ["corpus.txt:1", "corpus.txt:3"]
    chunk = next(iter(read(description, tree(files), lambda *_: None)))
    assert chunk.columns["text"][0] == Range("corpus.txt", 0, 6)


def test_a_text_that_is_called_like_notes_begin_is_none() -> None:
    songs = ("About a Girl.txt", "Notice me.txt", "Lithium.txt")
    _, rows, _ = whole(dict.fromkeys(songs, "a line\n" * 10) | {"LICENSE-MIT.txt": "x", "about.txt": "y"})
    assert {origin.partition(":")[0] for found in rows.values() for origin in found.origins} == set(songs)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_texts_with_a_byte_order_mark_are_read(encoding: str) -> None:
    _, rows, _ = whole({"a.txt": "jedna\ndvě\ntři\n".encode(encoding)}, layout="lines")
    found = sorted(text for split in rows.values() for text in split.columns["text"])
    assert found == sorted(each.encode() for each in ("jedna", "dvě", "tři"))


def test_texts_of_splits_are_kept_apart() -> None:
    files: dict[str, str | bytes] = {"train.txt": "a\nb\n", "valid.txt": "c\n", "test.txt": "d\n"}
    description, rows, _ = whole(files)
    assert description.split_rule == SplitRule("file")
    assert {name: found.columns["text"] for name, found in rows.items()} == {
        "train": [b"a", b"b"],
        "validation": [b"c"],
        "test": [b"d"],
    }


def test_one_file_named_train_is_split_by_hash() -> None:
    description = described({"train.txt": "".join(f"line {at}\n" for at in range(100))})
    assert description.split_rule.by == "hash"
    assert set(description.examples) == {"train", "test"}


def test_equal_lines_are_of_one_split() -> None:
    _, rows, _ = whole({"a.txt": "".join(f"line {at % 40}\n" for at in range(400))})
    assert not set(rows["train"].columns["text"]) & set(rows["test"].columns["text"])


def test_a_text_of_another_encoding_is_refused_with_its_byte_and_line() -> None:
    with pytest.raises(DataUnreadable, match=r"^a\.txt is no UTF-8: byte 0xe9 at 7, in line 2; convert it"):
        detected({"a.txt": b"abc\ncaf\xe9\n"})
    with pytest.raises(DataUnreadable, match=r"^a\.txt is no UTF-16: byte"):
        detected({"a.txt": b"\xff\xfea\x00\n\x00\x00\xd8"})


def test_parallel_files_are_pairs() -> None:
    files: dict[str, str | bytes] = {
        "train.en": "one\ntwo\n\nfour\n",
        "train.it": "uno\ndue\n\n\n",
        "test.en": "three\n",
        "test.it": "tre\n",
    }
    description, rows, problems = whole(files)
    source, target = description.features
    assert (description.layout, source.name, source.column, target.name, target.role) == (
        "parallel",
        "source",
        "en",
        "target",
        "target",
    )
    assert rows["train"].columns == {"source": [b"one", b"two"], "target": [b"uno", b"due"]}
    assert problems == ["train.it:4: is empty, and its partner is not"]


def test_the_direction_of_parallel_files_can_be_turned_round() -> None:
    files: dict[str, str | bytes] = {"a.en": "one\n" * 30, "a.it": "uno\n" * 30}
    description, findings = detected(files, target="en")
    assert [each.column for each in description.features] == ["it", "en"]
    assert findings.notes[0] == "it is the source and en the target; --target it turns them round"
    with pytest.raises(LayoutUnknown, match=r"no file ends in \.fr; the files end in \.en and \.it"):
        detected(files, target="fr")


def test_a_source_is_never_in_two_splits() -> None:
    files: dict[str, str | bytes] = {
        "a.en": "".join(f"word {at % 50}\n" for at in range(500)),
        "a.it": "".join(f"parola {at}\n" for at in range(500)),
    }
    _, rows, _ = whole(files)
    assert not set(rows["train"].columns["source"]) & set(rows["test"].columns["source"])


def test_parallel_files_of_different_lengths_are_refused() -> None:
    with pytest.raises(DataUnreadable, match=r"^a\.it has more lines than the 2 of a\.en") as refused:
        detected({"a.en": "one\ntwo\n", "a.it": "uno\ndue\ntre\n"})
    assert refused.value.reason == "COUNTS_DIFFER"


def test_parallel_files_of_which_half_the_lines_have_no_partner_are_refused() -> None:
    said = r"^a\.it:3 is empty, and its partner is not \(2 of 4 pairs can't be used\)"
    with pytest.raises(DataUnreadable, match=said) as refused:
        detected({"a.en": "one\ntwo\nthree\nfour\n", "a.it": "uno\ndue\n\n\n"})
    assert refused.value.reason == "ROWS_UNUSABLE"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_pair_with_a_line_that_is_too_long_is_one_problem(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "MAX_LINE_BYTES", 16)
    words = ["one", "two" * 20, "three", "four"]
    _, rows, problems = whole({"train.en": "\n".join(words).encode(encoding), "train.it": "uno\ndue\ntre\nquattro"})
    assert problems == ["train.en:2: is longer than 0 MiB"]
    assert sum(len(split.origins) for split in rows.values()) == 3


def test_pairs_in_a_table_without_a_header_are_source_and_target() -> None:
    text = "".join(f'He said number {at}, "yes".\tDisse numero {at}, "sì".\n' for at in range(50))
    description, rows, _ = whole({"pairs.tsv": text})
    assert [(each.name, each.kind, each.role) for each in description.features] == [
        ("source", "text", "input"),
        ("target", "text", "target"),
    ]
    assert rows["train"].columns["target"][0].decode().startswith("Disse numero")


def test_quotes_in_a_table_of_tabs_are_letters_unless_all_are_closed() -> None:
    text = 'ham\t"Ok lar... Joking wif u oni...\nspam\tFree entry in 2 a wkly comp to win\n' * 30
    description, rows, _ = whole({"sms.tsv": text})
    assert [(each.name, each.role) for each in description.features] == [("label", "target"), ("text", "input")]
    assert b'"Ok lar... Joking wif u oni...' in [text for split in rows.values() for text in split.columns["text"]]


NUL = "holds NUL bytes: UTF-16 or UTF-32 without a byte order mark, or no text; convert it to UTF-8"


def test_a_stray_nul_is_a_character_of_a_text() -> None:
    assert read_text(InMemory(b"one\0two three four")) == b"one\0two three four"


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("encoding", "mark", "said"),
    [
        ("utf-16-le", b"", NUL),
        ("utf-16-be", b"", NUL),
        ("utf-32-be", b"", NUL),
        ("utf-32-le", codecs.BOM_UTF32_LE, "is UTF-32; convert it to UTF-8, such as with iconv -f UTF-32"),
        ("utf-32-be", codecs.BOM_UTF32_BE, "is UTF-32; convert it to UTF-8, such as with iconv -f UTF-32"),
    ],
)
def test_wide_characters_that_no_mark_of_utf_16_announces_are_refused(
    name: str, packed: bool, encoding: str, mark: bytes, said: str
) -> None:
    data = mark + "x,label\none,a\ntwo,b\n".encode(encoding)
    with pytest.raises(DataUnreadable) as refused:
        detected({name: gzip.compress(data, mtime=0) if packed else data})
    assert refused.value.message.startswith(f"{name} {said}")
    assert refused.value.reason == "NOT_UTF8"
    with pytest.raises(UnusableError) as unusable:
        read_text(InMemory(data))
    assert str(unusable.value).startswith(said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"ab\ncaf\xc3", r"is no UTF-8: byte 0xc3 at 6, in line 2, where it ends within a character; convert it"),
        (b"\xef\xbb\xbfcaf\xe2\x82", r"is no UTF-8: byte 0xe2 at 6, in line 1, where it ends within a character; "),
        (b"\xef\xbb\xbfcaf\xe9 noir", r"is no UTF-8: byte 0xe9 at 6, in line 1; convert it, such as with iconv"),
        (b"\xff\xfea\0b\0c", r"is no UTF-16: byte 0x63 at 6, in line 1, where it ends within a character; save it as "),
    ],
)
def test_a_text_that_ends_within_a_character_is_refused_with_its_byte(data: bytes, said: str) -> None:
    for name in ("a.txt", "a.csv"):
        with pytest.raises(DataUnreadable) as refused:
            detected({name: data})
        assert refused.value.message.startswith(f"{name} {said}")
    with pytest.raises(UnusableError, match=said.partition(",")[0]):
        read_text(InMemory(data))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.booleans())
def test_lines_are_those_that_python_splits_at_line_feeds(text: str, marked: bool) -> None:
    data = ("\ufeff" if marked else "").encode() + text.encode()
    files: Files = {"a": InMemory(data)}
    found = list(lines("a", files["a"], Problems()))
    expected = [line.rstrip("\r\n") for line in text.split("\n")]
    if not text or text.endswith("\n"):
        expected.pop()
    # A mark in front of the text is the file's, also where the text begins with one.
    if not marked and text.startswith("\ufeff"):
        expected[0] = expected[0].removeprefix("\ufeff")
        if text == "\ufeff":
            expected = []
    assert [line.text.decode() for line in found] == expected
    for line in found:
        assert line.place is not None
        assert data[line.place.offset : line.place.offset + line.place.size] == line.text
    zipped = list(lines("a", InMemory(gzip.compress(data, mtime=0)), Problems()))
    assert [(line.number, line.text) for line in zipped] == [(line.number, line.text) for line in found]


@given(st.lists(st.binary(max_size=5), max_size=12), st.lists(st.binary(max_size=5), max_size=12))
def test_who_describes_and_who_reads_agree_on_any_pairs(one: list[bytes], other: list[bytes]) -> None:
    files: dict[str, str | bytes] = {"a.en": b"\n".join(one), "a.it": b"\n".join(other)}
    try:
        detected(files)
    except LayoutError:
        return
    whole(files)
