"""A table or a file of lines that can't be read is left out where others of its kind remain; else all is refused."""

import gzip
import io
from collections.abc import Mapping

import pyarrow
import pyarrow.parquet
import pytest

from modelyard.layouts import DataUnreadable
from tests.support.pictures import picture
from tests.support.trees import detected, whole

GOOD = "x,label\n" + "".join(f"{at},{'ab'[at % 2]}\n" for at in range(40))
LINES = "".join(f"line {at}\n" for at in range(40))
LATE = b"x,label\n" + b"1,a\n2,b\n" * 40_000 + b"1,caf\xe9\n"
RATINGS = "userId,movieId,rating\n" + "".join(f"{at % 7},{at % 5},{at % 9 / 2}\n" for at in range(90))
FILMS = "movieId,title\n" + "".join(f"{at},Film {at}\n" for at in range(5))
Tree = Mapping[str, str | bytes]


def parquet() -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"x": list(range(40)), "label": ["a", "b"] * 20}), out)
    return out.getvalue()


def left_out(files: Tree) -> list[str]:
    """What is left out of files; that the others are described, and read back, as if it never was there is checked."""
    description, findings = detected(files)
    lost = {problem.path for problem in findings.left_out}
    rest = {path: content for path, content in files.items() if path not in lost}
    assert description == whole(rest)[0]
    return list(map(str, findings.left_out))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "", "is empty"),
        ("z.csv", "\n\n", "has blank lines only"),
        ("a.csv", "x,label\n", "has no rows under its header"),
        ("z.csv", "x,label\n", "has no rows under its header"),
        ("z.csv", LATE, "is no UTF-8: byte 0xe9 at 320,013, in line 80,002; convert it, such as with iconv"),
        ("z.csv", gzip.compress(GOOD.encode())[:-9], "is damaged gzip"),
        ("a.csv", b"\x1f\x8b\x08\x00", "is damaged gzip"),
        ("z.csv", "x" * (1 << 18), "has no line break in its first 262,144 characters"),
    ],
)
def test_a_csv_file_that_can_not_be_read_is_left_out_with_its_reason(
    name: str, content: str | bytes, reason: str
) -> None:
    (said,) = left_out({"b.csv": GOOD, "c.csv": GOOD, name: content})
    assert said.startswith(f"{name}: {reason}")


@pytest.mark.parametrize("content", ["", "nothing\n", '[{"x": 1}]\n', b"\xff"])
def test_a_jsonl_file_of_which_no_line_is_an_object_is_left_out(content: str | bytes) -> None:
    good = "".join(f'{{"x": {at}, "label": "{"ab"[at % 2]}"}}\n' for at in range(40))
    (said,) = left_out({"a.jsonl": content, "b.jsonl": good})
    assert said.startswith("a.jsonl: ")


@pytest.mark.parametrize("content", [b"", parquet()[:-9], parquet()[:60] + b"\0" * 40 + parquet()[100:]])
def test_a_damaged_parquet_file_is_left_out(content: bytes) -> None:
    (said,) = left_out({"a.parquet": content, "b.parquet": parquet()})
    assert said.startswith("a.parquet: is not a Parquet file that can be read")


@pytest.mark.parametrize(
    ("content", "reason"), [("", "is empty"), (" \n\n", "is empty"), (b"one\ncaf\xe9\n", "is no UTF-8: byte 0xe9 at 7")]
)
def test_a_file_of_lines_that_can_not_be_read_is_left_out(content: str | bytes, reason: str) -> None:
    (said,) = left_out({"a.txt": LINES, "z.txt": content})
    assert said.startswith(f"z.txt: {reason}")


@pytest.mark.parametrize(("content", "reason"), [("", "is empty"), (b"caf\xe9\n", "is no UTF-8")])
def test_parallel_texts_are_left_out_together(content: str | bytes, reason: str) -> None:
    first, second = left_out({"a.en": LINES, "a.it": LINES, "b.en": "one\n", "b.it": content})
    assert first == "b.en: belongs to b.it"
    assert second.startswith(f"b.it: {reason}")


def test_all_that_is_broken_is_named_at_once() -> None:
    broken: Tree = {"train-1.csv": "", "train-3.csv": "x,label\n", "train-4.csv": b"x,label\n1,caf\xe9\n"}
    said = left_out({**broken, "train-2.csv": GOOD, "test.csv": GOOD})
    assert [each.partition(":")[0] for each in said] == list(broken)


@pytest.mark.parametrize("content", ["", "x,label\n", b"x,label\n1,caf\xe9\n"])
@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_the_only_file_of_a_split_refuses_with_its_reason_and_what_to_do(name: str, content: str | bytes) -> None:
    files: Tree = {"train.csv": GOOD, "test.csv": GOOD, "validation.csv": GOOD, name: content}
    with pytest.raises(
        DataUnreadable, match=rf"^{name} (is empty|has no rows|is no UTF-8).*; no other file is of its"
    ) as refused:
        detected(files)
    assert "so mend it, or remove it from the folder" in refused.value.message
    assert refused.value.reason in ("EMPTY", "NOT_UTF8")


@pytest.mark.parametrize("name", ["train.txt", "test.txt"])
def test_the_only_text_of_a_split_refuses(name: str) -> None:
    with pytest.raises(DataUnreadable, match=rf"^{name} is empty; no other file is of its split"):
        detected({"train.txt": LINES, "test.txt": LINES, name: ""})


def test_where_no_file_can_be_read_all_are_named() -> None:
    said = (
        r"^a\.csv is empty; no other file can be read, so mend it.* Besides, b\.csv is no UTF-8.*; c\.csv has no rows"
    )
    with pytest.raises(DataUnreadable, match=said):
        detected({"a.csv": "", "b.csv": b"caf\xe9\n", "c.csv": "x,y\n"})


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv", "links.csv"])
def test_beside_tables_of_several_kinds_nobody_knows_what_a_broken_one_was(name: str) -> None:
    files: Tree = {
        "ratings.csv": RATINGS,
        "movies.csv": FILMS,
        "links.csv": "movieId,imdbId\n1,2\n",
        "tags.csv": "userId,movieId,tag\n1,2,fun\n",
        name: "",
    }
    with pytest.raises(DataUnreadable, match=rf"^{name} is empty; it may be of another kind than the tables beside it"):
        detected(files)


def test_a_broken_table_of_ratings_is_left_out_where_its_name_says_its_split() -> None:
    files: Tree = {"train-1.csv": RATINGS, "train-2.csv": "", "test.csv": RATINGS, "items.csv": FILMS}
    assert left_out(files) == ["train-2.csv: is empty"]
    with pytest.raises(DataUnreadable, match=r"^items\.csv is empty; no other file is of its split"):
        detected({"train.csv": RATINGS, "test.csv": RATINGS, "items.csv": ""})


@pytest.mark.parametrize("beside", [{}, {"c.csv": ""}])
def test_other_columns_are_refused_as_ever(beside: Tree) -> None:
    with pytest.raises(DataUnreadable, match=r"^b\.csv has 2 columns, a\.csv 2|b\.csv has 'y' as column 1") as refused:
        detected({"a.csv": GOOD, "b.csv": "y,label\n1,a\n", **beside})
    assert refused.value.reason == "COLUMNS_DIFFER"


def test_a_table_that_may_name_the_images_beside_it_is_no_mere_note() -> None:
    images: Tree = {f"{name}/{at}.png": picture(at) for name in ("cat", "dog") for at in range(9)}
    with pytest.raises(DataUnreadable, match=r"^labels\.csv is no UTF-8"):
        detected({**images, "labels.csv": b"file,label\ncat/1.png,caf\xe9\n", "notes.csv": "what,who\nlight,ann\n"})
    rows = "".join(f"{path},{at % 2}\n" for at, path in enumerate(images))
    description, findings = detected({**images, "a.csv": f"file,label\n{rows}", "z.csv": ""})
    assert (description.layout, description.files) == ("table", {"a.csv": ""})
    assert list(map(str, findings.left_out)) == ["z.csv: is empty"]
