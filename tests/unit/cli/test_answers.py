"""Answers as people read them."""

from modelyard.cli.answers import text_of
from modelyard.sdk.predicting import Answer


def test_a_transcript_is_a_line_with_how_sure_the_model_is() -> None:
    assert text_of(Answer("a.png", {"transcript": "KA12345", "confidence": 0.98765})) == "KA12345 (0.988)"
    assert text_of(Answer("a.png", {"transcript": "KA12345"})) == "KA12345"
    assert text_of(Answer("a.png", {"transcript": ""}, ["nothing is there"])) == "\n  note: nothing is there"


def test_several_transcripts_are_a_line_each_the_likeliest_first() -> None:
    beams = Answer("a.wav", {"transcripts": ["123", "23", "12"], "scores": [-0.1, -2.0, -3.0]})
    assert text_of(beams) == "123\n23\n12"
    assert text_of(beams, top=2) == "123\n23"
