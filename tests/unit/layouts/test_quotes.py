"""Tables of tabs and bars: some are written with quotes around fields, in others a quote is a letter."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.layouts import parse_description, to_json
from modelyard.layouts.chunks import Problems
from modelyard.layouts.rows import read_rows, read_shape
from tests.support.trees import InMemory, described, read_back, tree, whole

ODD = ["a tab\there", "two\nlines", 'he said "so"', "plain enough", '"all of it"', ""]
NOTES = [(f"note {at}: {ODD[at % len(ODD)]}" if at % len(ODD) < 4 else ODD[at % len(ODD)] or "-") for at in range(60)]


def written(texts: list[str], delimiter: str = "\t", quoting: int = csv.QUOTE_MINIMAL) -> str:
    """As pandas and Excel write it."""
    out = io.StringIO()
    rows = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    rows.writerows([("text", "more", "label"), *((text, f"x{at}", at % 2) for at, text in enumerate(texts))])
    return out.getvalue()


def unquoted(texts: list[str]) -> str:
    return "text\tmore\tlabel\n" + "".join(f"{text}\tx{at}\t{at % 2}\n" for at, text in enumerate(texts))


def texts_of(files: dict[str, str | bytes]) -> set[str]:
    """What is read back."""
    _, rows, problems = whole(files)
    assert problems == []
    return {text.decode() for split in rows.values() for text in split.columns["text"]}


@pytest.mark.parametrize("delimiter", ["\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL], ids=["where needed", "everywhere"])
def test_fields_between_quotes_hold_tabs_line_breaks_and_quotes(delimiter: str, quoting: int) -> None:
    assert texts_of({"a.tsv": written(NOTES, delimiter, quoting)}) == set(NOTES)


def test_quotes_that_close_nothing_are_letters() -> None:
    texts = [f'{at} said "what' if at % 3 else f'"Yes {at}, or so' for at in range(60)]
    assert texts_of({"a.tsv": unquoted(texts)}) == set(texts)


def test_a_quote_left_open_before_a_row_that_is_too_short_is_a_letter() -> None:
    texts = [f"this is what note {at} says" for at in range(60)]
    texts[20] = '"Ok so far'
    text = unquoted(texts).replace("\tx40\t0", "")
    _, rows, problems = whole({"a.tsv": text})
    assert problems == ["a.tsv:42: has 1 field; there are 3 columns"]
    assert sum(len(split.origins) for split in rows.values()) == 59


def test_a_long_table_is_read_to_its_end_as_its_beginning_says() -> None:
    texts = [f"note {at}:\ttabs and\nlines {'and so on ' * 40}" for at in range(3000)]
    assert texts_of({"a.tsv": written(texts)}) == set(texts)


@pytest.mark.parametrize("plain_first", [True, False])
def test_one_file_that_needs_quotes_decides_for_all_files_of_the_table(plain_first: bool) -> None:
    plain = [f"this is plain note {at}" for at in range(30)]
    looks = [f'"closed {at}"' for at in range(30)]
    first, second = (plain, NOTES) if plain_first else (NOTES, plain)
    files: dict[str, str | bytes] = {"a.tsv": written(first), "b.tsv": written(second), "c.tsv": written(looks)}
    assert texts_of(files) == {*plain, *NOTES, *looks}


def test_a_file_whose_quotes_are_letters_decides_for_one_whose_quotes_may_be_either() -> None:
    letters = [f'"{at} it was" or so' for at in range(30)]
    either = [f'"closed {at}"' for at in range(30)]
    files: dict[str, str | bytes] = {"a.tsv": unquoted(either), "b.tsv": unquoted(letters)}
    assert texts_of(files) == {*either, *letters}


def test_who_reads_takes_quotes_as_the_description_says_whatever_the_file_looks_like() -> None:
    files: dict[str, str | bytes] = {"a.tsv": unquoted([f'"closed {at}"' for at in range(60)])}
    description = to_json(described(files))
    assert "quoted" not in description["table"]
    description["table"]["quoted"] = False
    rows, _ = read_back(parse_description(json.dumps(description).encode()), tree(files))
    assert all(text.startswith(b'"closed') for split in rows.values() for text in split.columns["text"])


@given(st.lists(st.text(st.sampled_from('ab"\n ')), min_size=4, max_size=12))
def test_what_is_written_with_quotes_everywhere_is_read_back(texts: list[str]) -> None:
    lines = [[text, "kept", str(at)] for at, text in enumerate(texts)]
    out = io.StringIO()
    csv.writer(out, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(lines)
    file, problems = InMemory(out.getvalue().encode()), Problems()
    shape = read_shape("a.tsv", file, "csv", header=False)
    assert [row for batch in read_rows("a.tsv", file, shape, problems) for row in batch.rows] == lines
    assert problems.count == 0
