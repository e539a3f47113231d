"""What `deploy` proposes to ask a model with."""

import pytest

from modelyard.cli.deployments import _options
from modelyard.sdk.predicting.model import Input


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
    assert " ".join(_options(inputs)) == said
