"""`modelyard predict` shows text while a model writes it."""

import json

import pytest
from PIL import Image

from modelyard.sdk.errors import InvalidArgument
from tests.contract.cli.asking import Run
from tests.support.asked_models import Asked
from tests.support.asked_writers import written


def text(length: int, seed: int = 0) -> str:
    return "".join(written(place, seed) for place in range(length))


def test_text_is_shown_piece_by_piece_and_is_what_one_call_writes(run: Run, models: dict[str, Asked]) -> None:
    said = run("predict", "bard", "--text", "ROMEO:", "--row", "length=30,temperature=0.5,seed=3")
    assert said.stdout == text(30, 3) + "\n"
    asked = models["bard"].requests
    assert {request.model_spec.signature_name for request in asked} == {"continue"}
    assert [request.inputs["so_far"].string_val[0].decode() for request in asked] == [
        text(done, 3) for done in (0, 8, 16, 24)
    ]
    assert {request.inputs["prompt"].string_val[0] for request in asked} == {b"ROMEO:"}
    assert "30 symbols" in said.stderr
    whole = json.loads(
        run("predict", "bard", "--text", "ROMEO:", "--row", "length=30,temperature=0.5,seed=3", "-o", "json").stdout
    )
    assert whole["outputs"]["text"] + "\n" == said.stdout


def test_what_is_not_said_is_as_usual_and_as_the_model_has_it(run: Run) -> None:
    said = run("predict", "bard", "--text", "ROMEO:").stdout
    assert said == json.loads(run("predict", "bard", "--text", "ROMEO:", "-o", "json").stdout)["outputs"]["text"] + "\n"
    some = ("predict", "bard", "--text", "ROMEO:", "--row", "length=5")
    assert run(*some).stdout == text(5) + "\n"
    assert json.loads(run(*some, "-o", "json").stdout)["outputs"]["text"] == text(5)
    assert run(*some, "--text", "JULIET:").stdout.splitlines() == [f"ROMEO:: {text(5)}", f"JULIET:: {text(5)}"]


def test_a_text_that_is_drawn_is_written_as_a_whole(run: Run, models: dict[str, Asked]) -> None:
    assert run("predict", "bard", "--text", "ROMEO:", "--picture", "out.png").stdout == text(200) + "\n"
    with Image.open("out.png") as drawn:
        assert drawn.height > 32
    assert {request.model_spec.signature_name for request in models["bard"].requests} == {"serving_default"}


def test_several_prompts_get_their_texts_as_wholes(run: Run, models: dict[str, Asked]) -> None:
    said = run("predict", "bard", "--text", "A", "--text", "B").stdout
    assert said.splitlines() == [f"A: {text(200)}", f"B: {text(200)}"]
    assert {request.model_spec.signature_name for request in models["bard"].requests} == {"serving_default"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--text", "why?"), "the prompt has symbols that are nowhere in the training text: ?"),
        (("--text", "A", "--row", "length=long"), "length takes a whole number, not 'long'"),
        (("--text", "A", "--row", "temperatur=1"), "bard@1 has no input 'temperatur'; did you mean temperature?"),
        (("--text", "A", "--row", "length=9,temperature=hot"), "temperature takes a number (float32), not 'hot'"),
    ],
)
def test_what_it_cannot_write_is_refused_before_anything_is_shown(
    run: Run, arguments: tuple[str, ...], says: str
) -> None:
    result = run("predict", "bard", *arguments)
    assert isinstance(result.exception, InvalidArgument), result.output
    assert result.exception.message.startswith(says)
    assert result.stdout == ""
