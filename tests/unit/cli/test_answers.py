"""What an answer looks like to a person."""

from modelyard.cli.answers import text_of
from modelyard.sdk.predicting import Answer


def test_a_written_text_is_what_is_printed_and_the_others_where_several_are_asked_for() -> None:
    outputs = {"text": "caja roja", "score": -0.1, "texts": ["caja roja", "caja rojo"], "scores": [-0.1, -1.25]}
    answer = Answer("", outputs=outputs)
    assert text_of(answer) == "caja roja"
    assert answer.label == ""
    assert text_of(answer, top=5) == "-0.100  caja roja\n-1.250  caja rojo"
