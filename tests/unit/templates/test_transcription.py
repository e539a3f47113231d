"""Edits between what is there and what was written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from modelyard.templates.evaluate.edits import Edit, align, distance
from modelyard.templates.evaluate.transcript_sections import sections
from modelyard.templates.evaluate.transcription import Transcription, cer, constant, plainly

TEXT = some.text("abc", max_size=8)


def simplest(true: str, said: str) -> int:
    """By definition: Levenshtein's recursion."""
    if not true or not said:
        return len(true) + len(said)
    wrong = true[0] != said[0]
    return min(simplest(true[1:], said) + 1, simplest(true, said[1:]) + 1, simplest(true[1:], said[1:]) + wrong)


@given(TEXT.filter(lambda text: len(text) < 6), TEXT.filter(lambda text: len(text) < 6))
def test_the_distance_is_levenshteins(true: str, said: str) -> None:
    assert distance(true, said) == simplest(true, said)


@given(TEXT, TEXT)
def test_an_alignment_reads_both_texts_with_as_few_edits_as_there_must_be(true: str, said: str) -> None:
    found = align(true, said)
    assert "".join(edit.true for edit in found) == true
    assert "".join(edit.said for edit in found) == said
    assert sum(not edit.is_right for edit in found) == distance(true, said)


def test_an_alignment_says_what_is_wrong_lacking_and_too_much() -> None:
    assert align("AB1", "8B12") == [Edit("A", "8"), Edit("B", "B"), Edit("1", "1"), Edit("", "2")]
    assert align(["two", "words"], ["words"]) == [Edit("two", ""), Edit("words", "words")]


def judged(*pairs: tuple[str, str]) -> Transcription:
    found = Transcription()
    for row, (true, said) in enumerate(pairs):
        found.add(row, true, said, 0.5)
    return found


def test_errors_are_counted_by_symbol_by_word_and_without_case_and_punctuation() -> None:
    found = judged(("Ahoj, světe!", "ahoj svete"), ("Ano.", "Ano."))
    metrics = found.metrics()
    assert metrics["cer"] == pytest.approx(4 / 16)
    assert metrics["exact"] == 0.5
    assert metrics["wer"] == pytest.approx(2 / 3)
    assert metrics["plain_cer"] == pytest.approx(1 / 13)
    assert set(judged(("123", "123")).metrics()) == {"cer", "exact"}


def test_the_worst_strings_have_the_most_edits_a_symbol_and_right_ones_are_none() -> None:
    found = judged(("aaaa", "aaab"), ("ab", "ba"), ("abc", "abc"), ("", "x"))
    assert [each.row for each in found.worst(10)] == [1, 3, 0]
    assert found.confused(1) == [("a", "b", 2)]


def test_an_interval_lies_around_its_figure_and_is_the_same_each_time() -> None:
    random = np.random.default_rng(0)
    pairs = [("".join(random.choice(list("ab"), 6)), "".join(random.choice(list("ab"), 6))) for _ in range(60)]
    found = judged(*pairs)
    low, high = found.intervals()["cer"]
    assert low < found.metrics()["cer"] < high
    assert judged(*pairs).intervals() == found.intervals()


def test_what_looks_at_nothing_writes_the_most_frequent_symbol_of_each_place() -> None:
    assert constant(["AB1", "AC1", "XB"]) == "AB1"
    assert constant([]) == ""
    assert cer(["AB", "XB"], ["AB", "AB"]) == pytest.approx(1 / 4)
    assert plainly("  It's  — OK. ") == "it s ok"


def test_a_page_shows_the_texts_of_strangers_as_text() -> None:
    mistake = {
        "example": 0,
        "path": "<b>.png",
        "true": "<i>",
        "said": "&",
        "edits": 3,
        "confidence": None,
        "aligned": [["<", "&"], ["i", ""], [">", ""]],
    }
    page = "".join(sections({"confused": [["<", "&", 2], ["i", "", 1]], "mistakes": [mistake]}))
    assert "<i>" not in page
    assert "<b>.png" not in page
    assert "&lt;<br>&amp;" in page
    assert "i<br>·" in page
