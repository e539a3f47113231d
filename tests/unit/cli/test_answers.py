"""Answers as people read them."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from modelyard.cli import pictures
from modelyard.cli.answers import text_of
from modelyard.cli.gallery import number
from modelyard.sdk.predicting import Answer, Row


def test_a_written_text_is_what_is_printed_and_the_others_where_several_are_asked_for() -> None:
    outputs = {"text": "caja roja", "score": -0.1, "texts": ["caja roja", "caja rojo"], "scores": [-0.1, -1.25]}
    answer = Answer("", outputs=outputs)
    assert text_of(answer) == "caja roja"
    assert answer.label == ""
    assert text_of(answer, top=5) == "-0.100  caja roja\n-1.250  caja rojo"


def test_bars_begin_below_each_other_also_beside_names_of_wide_characters() -> None:
    answer = Answer("", {"probabilities": [0.5, 0.25]}, classes=("旅行", "Tiere"))
    first, second = text_of(answer, top=2).splitlines()
    assert cell_len(first.partition("0.")[0]) == cell_len(second.partition("0.")[0]) == 7


@pytest.mark.parametrize(
    ("value", "said"), [(0.98712, "0.9871"), (2.334, "2.33"), (38.04, "38.0"), (562.6, "563"), (3977.0, "3,977")]
)
def test_a_figure_has_as_many_digits_as_tell(value: float, said: str) -> None:
    assert number(value) == said


def test_names_beyond_ascii_are_drawn_by_a_font_that_has_them() -> None:
    font = pictures._font(16, ["schön"])
    if font.getname() == pictures._font(16, ["plain"]).getname():
        pytest.skip("none of the known fonts is on this machine")
    assert bytes(font.getmask("ö")) != bytes(font.getmask("\uffff")), "it is drawn as an empty box"


def test_a_transcript_is_a_line_with_how_sure_the_model_is() -> None:
    assert text_of(Answer("a.png", {"transcript": "KA12345", "confidence": 0.98765})) == "KA12345 (0.988)"
    assert text_of(Answer("a.png", {"transcript": "KA12345"})) == "KA12345"
    assert text_of(Answer("a.png", {"transcript": ""}, ["nothing is there"])) == "\n  note: nothing is there"


def test_several_transcripts_are_a_line_each_the_likeliest_first() -> None:
    beams = Answer("a.wav", {"transcripts": ["123", "23", "12"], "scores": [-0.1, -2.0, -3.0]})
    assert text_of(beams) == "123\n23\n12"
    assert text_of(beams, top=2) == "123\n23"


def test_pictures_that_are_found_have_their_paths_and_the_version_that_they_are_of() -> None:
    outputs = {
        "items": ["ann", "bobby"],
        "scores": [0.98765, 0.5],
        "paths": ["test/ann/1.png", "train/bobby/2.png"],
        "gallery": "projects/default/datasets/faces/versions/3",
    }
    assert text_of(Answer("a.png", outputs)).splitlines() == [
        "1  ann    0.9877  test/ann/1.png",
        "2  bobby  0.5     train/bobby/2.png",
        "found among faces@3",
    ]
    assert text_of(Answer("", {"items": ["m1"], "scores": [0.5]})) == "1  m1  0.5"


def test_items_that_have_titles_are_shown_with_them() -> None:
    outputs = {"items": ["260", "1"], "scores": [0.25, 0.125], "titles": ["Star Wars (1977)", ""]}
    assert text_of(Answer("user 4", outputs)).splitlines() == ["1  260  0.25    Star Wars (1977)", "2  1    0.125"]


@pytest.mark.parametrize(
    "outputs",
    [
        {"forecast": [1.0, 2.0], "times": ["2026-01-01"]},
        {"forecast": [], "times": []},
        {"forecast": 1.5, "times": "2026-01-01"},
        {"forecast": [[1.0], [2.0]], "times": ["a", "b"]},
        {"forecast": ["up"], "times": ["a"]},
    ],
)
def test_a_forecast_of_another_form_is_shown_as_any_values(outputs: dict[str, Any]) -> None:
    assert json.loads(text_of(Answer("", outputs))) == outputs


@pytest.mark.parametrize(
    ("texts", "scores"), [(["a", "b"], [0.5]), ([], []), (["a"], [[0.5]]), (["a"], ["0.5"]), ("a", 0.5)]
)
def test_a_text_whose_others_have_no_score_each_is_shown_alone(texts: Any, scores: Any) -> None:
    assert text_of(Answer("", {"text": "a", "texts": texts, "scores": scores}), top=2) == "a"


def test_boxes_of_another_form_are_none_and_so_are_their_scores() -> None:
    outputs = {"boxes": [[1.0, 2.0, 3.0, 4.0], [[1.0]] * 4], "scores": [[0.5, 0.5], [0.25, 0.75]]}
    assert text_of(Answer("", outputs)).split() == ["1", "2", "3", "4"]


def test_items_of_another_form_are_drawn_too(tmp_path: Path) -> None:
    outputs = {"items": ["a", "b"], "scores": ["high", "low"]}
    pictures.draw(Row({}), Answer("", outputs), tmp_path / "out.png")
