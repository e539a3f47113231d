"""Croissant of CSV: readers find every column that is described, or the export says what to do."""

import gzip

import pytest

from modelyard.sdk.errors import FailedPrecondition
from tests.support.croissant import described, examples_of

PLAIN = "size,colour\n" + "".join(f"{at},{'rb'[at % 2]}\n" for at in range(40))
RATINGS = "user,item,rating\n" + "".join(f"{at % 7},{at % 5},{at % 9}\n" for at in range(90))


def test_a_table_with_tabs_is_one_whatever_it_is_called() -> None:
    for name in ("all.tsv", "all.csv"):
        (table,) = described({name: PLAIN.replace(",", "\t")})["distribution"]
        assert table["encodingFormat"] == "text/tab-separated-values"


@pytest.mark.parametrize(
    ("head", "row", "encoding", "why"),
    [
        ("size;colour\n", "{};red\n", "utf-8", "has `;` between its fields"),
        ("size|colour\n", "{}|red\n", "utf-8", "has `|` between its fields"),
        ("", "{},1.5,red\n", "utf-8", "has no row that names its columns"),
        ("size,colour\n", "{},red\n", "utf-16", "is UTF-16"),
        ("size, colour\n", "{}, red\n", "utf-8", "has blanks around the name 'colour'"),
        ("size,,colour\n", "{},1.5,red\n", "utf-8", "has no name for its column 2"),
        ("text\tsize\n", '"open, and never closed\t{}\n', "utf-8", "has quotes that are part of its texts"),
    ],
)
def test_csv_that_croissant_has_no_words_for_is_refused_with_what_to_do(
    head: str, row: str, encoding: str, why: str
) -> None:
    text = head + "".join(row.format(at) for at in range(40))
    with pytest.raises(FailedPrecondition) as refused:
        described({"all.csv": text.encode(encoding)})
    assert refused.value.message.startswith(f"all.csv {why}, and Croissant cannot say so; push it as CSV in UTF-8")
    assert refused.value.reason == "CROISSANT_CANNOT_SAY"


def test_csv_that_is_packed_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match=r"^all\.csv is gzip, and Croissant cannot say so"):
        described({"all.csv": gzip.compress(PLAIN.encode())})


def test_of_several_tables_each_is_looked_into() -> None:
    with pytest.raises(FailedPrecondition, match=r"^train\.csv has blanks around the name 'colour'"):
        described({"test.csv": PLAIN, "train.csv": PLAIN.replace(",colour", ", colour")})


@pytest.mark.parametrize(
    "text",
    [
        "a disk of 5 inches {}",
        'a disk of 5" {}',
        'he said "hi" {} times',
    ],
)
def test_texts_between_tabs_that_do_not_begin_with_a_quote_are_described(text: str) -> None:
    rows = "".join(f"{text.format(at)}\t{at % 2}\n" for at in range(40))
    assert set(examples_of(described({"all.tsv": f"text\tlabel\n{rows}"}))) == {"text", "label"}


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        f"\ufeff{PLAIN}",
        f"\n\n{PLAIN}",
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("size,colour", '"size","colour"'),
        PLAIN.replace(",", "\t"),
    ],
)
def test_columns_are_found_however_the_first_row_is_written(content: str) -> None:
    assert set(examples_of(described({"all.csv": content}))) == {"size", "colour"}


def test_a_name_that_goes_on_in_the_next_line_and_has_commas_is_found() -> None:
    rows = "".join(f'"words, and more of them {at}",{at % 2}\n' for at in range(40))
    fields = examples_of(described({"all.csv": f'"some,\nmore",label\n{rows}'}))
    assert fields["some_more"]["source"]["extract"] == {"column": "some,\nmore"}


@pytest.mark.parametrize("names", [("all.csv",), ("train.csv", "test.csv")])
def test_the_rows_numbers_that_pandas_writes_under_no_name_are_no_field(names: tuple[str, ...]) -> None:
    content = ",x,label\n" + "".join(f"{at},{at % 7},{at % 2}\n" for at in range(40))
    assert set(examples_of(described(dict.fromkeys(names, content)))) - {"split"} == {"x", "label"}


def test_an_ignored_column_that_is_called_like_one_without_a_name_is_a_field() -> None:
    content = "column 1,x,label\n" + "".join(f"{at},{at % 7},{at % 2}\n" for at in range(40))
    assert set(examples_of(described({"all.csv": content}))) == {"column_1", "x", "label"}


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ("item;title\n{};Film {}\n", "has `;` between its fields"),
        ("item, title\n{},Film {}\n", "has blanks around the name 'title'"),
        (",item,title\n0,{},Film {}\n", "has no name for its column 1"),
    ],
)
def test_items_in_csv_that_croissant_has_no_words_for_are_refused_too(items: str, why: str) -> None:
    header, row = items.splitlines()
    table = f"{header}\n" + "".join(f"{row.format(at, at)}\n" for at in range(5))
    with pytest.raises(FailedPrecondition) as refused:
        described({"ratings.csv": RATINGS, "items.csv": table})
    assert refused.value.message.startswith(f"items.csv {why}, and Croissant cannot say so")
