"""What `deploy` proposes to ask a model with."""

import pytest

from modelyard.cli.deployments import question
from modelyard.sdk.predicting.model import Input, Model, Way


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([Input("text", "string", (-1,), "text")], '--text "…"'),
        ([Input("user", "string", (-1,), "user"), Input("k", "int32", (), "number")], "--user ID --k 10"),
        (
            [Input(name, "float32", (-1,), "number") for name in "abcd"],
            "--row a=…,b=…,c=…,…",
        ),
        ([Input("image", "uint8", (-1, 28, 28, 1), "image")], "--image FILE"),
        ([Input("image", "float32", (-1, 28, 28, 1), "image")], "--input image=JSON"),
        (
            [Input("x", "float32", (-1, 4), "number"), Input("s", "float32", (), "number")],
            "--input x=JSON --input s=JSON",
        ),
    ],
)
def test_it_is_asked_by_what_its_inputs_stand_for(inputs: list[Input], said: str) -> None:
    assert question(model(serving_default=inputs)) == said


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
def test_a_model_that_takes_files_is_asked_with_one_of_their_kind(kind: str) -> None:
    decoded, encoded = Input(kind, "float32", (-1, -1), kind), Input(f"{kind}_bytes", "string", (-1,), kind)
    assert question(model(serving_default=[decoded], encoded=[encoded])) == f"--{kind} FILE"


def test_a_model_without_a_default_is_asked_by_its_first_signature() -> None:
    assert question(model(recommend=[Input("user", "string", (-1,), "user")])) == "--signature recommend --user ID"


def model(**ways: list[Input]) -> Model:
    return Model("m@1", {name: Way(name, {each.name: each for each in inputs}) for name, inputs in ways.items()})
