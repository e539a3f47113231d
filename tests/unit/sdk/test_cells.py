"""One value of a row, as a model gets it."""

import math
import struct
from typing import Any

import pytest

from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting.cells import cell
from modelyard.sdk.predicting.model import Input

AGE = Input("age", "float32", (-1,), "number")
COUNT = Input("count", "int64", (-1,), "number")
GRADES = frozenset({"1", "2.0", "clerk"})


@pytest.mark.parametrize("said", ["", " NA ", "null", "n/a", "<NA>", None])
def test_a_number_that_a_table_calls_missing_is_missing(said: str | None) -> None:
    content = cell(AGE, said).content
    assert isinstance(content, bytes)
    assert math.isnan(struct.unpack("<f", content)[0])


def test_a_whole_number_that_is_missing_is_refused_as_missing() -> None:
    with pytest.raises(InvalidArgument, match="takes a whole number") as caught:
        cell(COUNT, "NA")
    assert caught.value.reason == "INPUT_MISSING"


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("1.0", b"1"),
        (1.0, b"1"),
        (2, b"2.0"),
        (" clerk ", b"clerk"),
        ("NA", b""),
        (math.nan, b""),
        (None, b""),
    ],
)
def test_a_category_is_the_one_that_training_read(said: Any, sent: bytes) -> None:
    made = cell(Input("grade", "string", (-1,), "category", categories=GRADES), said)
    assert (made.content, made.note) == ((sent,), "")


def test_a_category_that_training_did_not_see_is_sent_without_blanks_and_marked() -> None:
    made = cell(Input("grade", "string", (-1,), "category", categories=GRADES), " cook ")
    assert (made.content, made.note) == ((b"cook",), "grade 'cook' was not seen in training")


@pytest.mark.parametrize("kind", ["user", "item", "id"])
def test_users_and_items_are_told_apart_without_the_blanks_around_them(kind: str) -> None:
    assert cell(Input("who", "string", (-1,), kind), " 42 ").content == (b"42",)


def test_a_text_keeps_its_blanks_and_may_be_a_word_for_nothing() -> None:
    wanted = Input("text", "string", (-1, -1), "text")
    assert cell(wanted, [" a ", "NA"]).content == (b" a ", b"NA")


@pytest.mark.parametrize("said", ["aGVsbG8=", "aGVsbG8", "aGVs\r\nbG8=\n", b"aGVsbG8="])
def test_base64_may_be_in_lines_and_without_padding(said: str | bytes) -> None:
    assert cell(Input("data", "string", (-1,), "text"), {"b64": said}).content == (b"hello",)


@pytest.mark.parametrize("said", ["aGVsbG8*", "aGVsb", "grün", 7, None])
def test_what_is_no_base64_is_refused(said: Any) -> None:
    with pytest.raises(InvalidArgument, match="data has a b64 value that is not base64"):
        cell(Input("data", "string", (-1,), "text"), {"b64": said})
