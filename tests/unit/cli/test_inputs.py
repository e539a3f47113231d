"""Values that are typed for a prediction."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelyard.cli.inputs import read_inputs, typed
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting.model import Input, Way
from modelyard.sdk.tensors import encode, rows


def signature(**dtypes: str) -> Way:
    return Way("serving_default", {name: Input(name, dtype, (-1,), "number") for name, dtype in dtypes.items()})


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float32", [[1.5, 2.0], [3.0, -4.0]]),
        ("uint8", [[[0], [255]]]),
        ("int64", [1, 2, 3]),
        ("bool", [True, False]),
        ("float64", 2.5),
        ("float32", []),
        ("string", ["a", "b"]),
    ],
)
def test_a_value_arrives_as_the_type_that_the_signature_says(dtype: str, value: Any) -> None:
    (made,) = typed({"x": value}, signature(x=dtype)).values()
    said = rows(encode(made))
    assert said == ([text.encode() for text in value] if dtype == "string" else value)


@pytest.mark.parametrize(
    ("inputs", "dtypes", "sentence"),
    [
        ({"y": [1]}, {"x": "float32"}, "has no input 'y'; it takes x (float32)"),
        ({"x": [1]}, {"x": "float32", "z": "int32"}, "also takes z; give --input z=JSON"),
        ({"x": [[1], [1, 2]]}, {"x": "float32"}, "rows of different lengths"),
        ({"x": [300]}, {"x": "uint8"}, "takes uint8, not 300"),
        ({"x": [1, "a"]}, {"x": "float32"}, 'takes float32, not "a"'),
        ({"x": [1.5]}, {"x": "int32"}, "takes int32, not 1.5"),
        ({"x": [1, None]}, {"x": "float32"}, "takes float32, not null"),
        ({"x": [True, "false"]}, {"x": "bool"}, 'takes bool, not "false"'),
        ({"x": [1]}, {"x": "string"}, "takes a list of texts"),
        ({"x": []}, {"x": "string"}, "takes a list of texts"),
        ({"x": ["\ud800"]}, {"x": "string"}, "has half a character in it"),
        ({"x": [1]}, {"x": "complex64"}, "can't be typed here"),
    ],
)
def test_what_does_not_fit_is_said(inputs: dict[str, Any], dtypes: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        typed(inputs, signature(**dtypes))
    assert sentence in error.value.message


def test_an_input_is_given_once() -> None:
    with pytest.raises(InvalidArgument, match="input 'x' is given twice"):
        read_inputs(["x=[1]", "x=[2]"])


def test_inputs_are_json_or_a_file_of_it(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([[1, 2]]))
    assert read_inputs(["x=[1]", f"y=@{tmp_path}/rows.json"]) == {"x": [1], "y": [[1, 2]]}


@pytest.mark.parametrize("text", ["x", "=1", "x=[1", "x=@gone.json"])
def test_what_is_no_input_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        read_inputs([text])
