"""Tensors in JSON and on the wire."""

import json
import math
from typing import Any

import pytest

from modelyard.api.serving.v1 import metadata_pb2, predict_pb2
from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.proxy.domain import ModelSpec
from modelyard.proxy.errors import AnswerTooLarge, BadAnswer, BadRequest
from modelyard.proxy.json_tensors import from_tensor, nested, to_tensor
from modelyard.proxy.predict_json import JsonRequest, decode, encode, read_request


def back(value: object, dtype: int) -> Any:
    return nested(*from_tensor(to_tensor(value, dtype, "inputs"), "output"))


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, pb.DT_FLOAT),
        ([[1.0, -2.5], [3.25, 4.0]], pb.DT_FLOAT),
        ([0.1, 1e300], pb.DT_DOUBLE),
        ([0.5, -2.0], pb.DT_HALF),
        ([1.0, -2.5], pb.DT_BFLOAT16),
        ([0, 255], pb.DT_UINT8),
        ([-128, 127], pb.DT_INT8),
        ([-32768], pb.DT_INT16),
        ([65535], pb.DT_UINT16),
        ([-(2**31)], pb.DT_INT32),
        ([2**32 - 1], pb.DT_UINT32),
        ([-(2**63), 2**63 - 1], pb.DT_INT64),
        ([2**64 - 1], pb.DT_UINT64),
        ([True, False], pb.DT_BOOL),
        (["text", "ü"], pb.DT_STRING),
        ([[]], pb.DT_FLOAT),
        ([[], []], pb.DT_FLOAT),
        ([], pb.DT_INT64),
        ([[[1], [2]], [[3], [4]]], pb.DT_INT32),
    ],
)
def test_a_value_comes_back_as_it_was(value: object, dtype: int) -> None:
    assert back(value, dtype) == value


def test_whole_numbers_are_fine_where_fractions_are_wanted() -> None:
    assert back([1, 2.5], pb.DT_FLOAT) == [1.0, 2.5]


def test_a_float_is_shown_with_the_digits_that_bring_it_back() -> None:
    assert json.dumps(back([0.1], pb.DT_FLOAT)) == "[0.100000001]"
    assert json.dumps(back([3.0], pb.DT_FLOAT)) == "[3.0]"


def test_what_is_no_number_travels_too() -> None:
    assert math.isnan(back([float("nan")], pb.DT_FLOAT)[0])
    assert back([float("inf")], pb.DT_BFLOAT16) == [float("inf")]


def test_bytes_are_shown_as_base64_where_they_are_no_text_or_the_name_says_bytes() -> None:
    tensor = to_tensor([{"b64": "/w=="}, "a"], pb.DT_STRING, "x")

    assert nested(*from_tensor(tensor, "image")) == [{"b64": "/w=="}, "a"]
    assert nested(*from_tensor(tensor, "image_bytes")) == [{"b64": "/w=="}, {"b64": "YQ=="}]


@pytest.mark.parametrize("text", ["eHl6MQ==", "eHl6MQ", "eHl6\r\nMQ==\n", " eHl6 MQ "])
def test_base64_is_read_with_white_space_in_it_and_without_padding(text: str) -> None:
    assert list(to_tensor([{"b64": text}], pb.DT_STRING, "x").string_val) == [b"xyz1"]


@pytest.mark.parametrize("dtype", [pb.DT_FLOAT, pb.DT_DOUBLE, pb.DT_HALF, pb.DT_BFLOAT16])
def test_an_infinity_that_was_given_is_one(dtype: pb.DataType.ValueType) -> None:
    assert back([math.inf, -math.inf, 1], dtype) == [math.inf, -math.inf, 1.0]


@pytest.mark.parametrize(
    ("value", "dtype", "sentence"),
    [
        ([[1], [1, 2]], pb.DT_FLOAT, "differ in length"),
        ([1, [2]], pb.DT_FLOAT, "mixes lists and values"),
        ([[1], 2], pb.DT_FLOAT, "differ in length"),
        ([256], pb.DT_UINT8, "does not fit DT_UINT8"),
        ([-1], pb.DT_UINT64, "does not fit DT_UINT64"),
        ([2**64], pb.DT_INT64, "does not fit DT_INT64"),
        ([70000.0], pb.DT_HALF, "does not fit DT_HALF"),
        ([0.5, 1e39], pb.DT_FLOAT, "does not fit DT_FLOAT"),
        ([-(10**39)], pb.DT_FLOAT, "does not fit DT_FLOAT"),
        ([10**400], pb.DT_DOUBLE, "does not fit DT_DOUBLE"),
        ([3.4e38], pb.DT_BFLOAT16, "does not fit DT_BFLOAT16"),
        ([1.5], pb.DT_INT32, "must be DT_INT32; found a fraction"),
        ([True], pb.DT_FLOAT, "must be DT_FLOAT; found true or false"),
        ([1], pb.DT_BOOL, "must be DT_BOOL; found a whole number"),
        ([None], pb.DT_FLOAT, "found null"),
        ([1], pb.DT_STRING, "must be DT_STRING"),
        ([{"b64": "!"}], pb.DT_STRING, "not base64"),
        ([{"b64": "A"}], pb.DT_STRING, "not base64"),
        ([{"b64": "_w=="}], pb.DT_STRING, "not base64"),
        ([{"b64": "\u00fc"}], pb.DT_STRING, "not base64"),
        ([{"b64": 1}], pb.DT_STRING, "must be DT_STRING"),
        ([1], pb.DT_VARIANT, "no form for (DT_VARIANT)"),
    ],
)
def test_a_value_that_does_not_fit_says_why(value: object, dtype: int, sentence: str) -> None:
    with pytest.raises(BadRequest) as caught:
        to_tensor(value, dtype, "inputs.x")
    assert sentence in caught.value.message
    assert caught.value.field == "inputs.x"


def test_the_last_value_of_the_short_form_repeats() -> None:
    tensor = pb.Tensor(dtype=pb.DT_FLOAT, float_val=[1.0, 2.0])
    tensor.tensor_shape.dim.add(size=4)

    assert nested(*from_tensor(tensor, "x")) == [1.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("dtype", "sizes", "content"),
    [
        (pb.DT_FLOAT, [10**12], b""),
        (pb.DT_FLOAT, [10**12, 0], b""),
        (pb.DT_FLOAT, [-1], b""),
        (pb.DT_FLOAT, [2], b"1234"),
        (pb.DT_FLOAT, [1], b"12345"),
        (pb.DT_STRING, [1], b"1"),
        (pb.DT_FLOAT, [], b"12345678"),
    ],
)
def test_a_hostile_answer_is_refused(dtype: pb.DataType.ValueType, sizes: list[int], content: bytes) -> None:
    tensor = pb.Tensor(dtype=dtype, tensor_content=content)
    if not content:
        tensor.float_val.append(1.0)
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)

    with pytest.raises((AnswerTooLarge, BadAnswer)):
        from_tensor(tensor, "x")


def test_a_body_that_nests_too_deeply_is_refused() -> None:
    with pytest.raises(BadRequest, match="nested too deeply"):
        read_request(b'{"instances": ' + b"[" * 100_000)


def test_rows_of_several_outputs_are_put_together_by_row() -> None:
    answer = predict_pb2.PredictResponse()
    answer.outputs["label"].CopyFrom(to_tensor(["a", "b"], pb.DT_STRING, "x"))
    answer.outputs["scores"].CopyFrom(to_tensor([[1.0], [2.0]], pb.DT_FLOAT, "x"))

    rows = json.loads(decode(answer.SerializeToString(), JsonRequest("s", True, None)))

    assert rows == {"predictions": [{"label": "a", "scores": [1.0]}, {"label": "b", "scores": [2.0]}]}


def test_outputs_without_rows_cannot_be_asked_for_by_rows() -> None:
    answer = predict_pb2.PredictResponse()
    answer.outputs["loss"].CopyFrom(to_tensor(1.0, pb.DT_FLOAT, "x"))

    with pytest.raises(BadRequest, match="has no rows"):
        decode(answer.SerializeToString(), JsonRequest("s", True, None))
    assert json.loads(decode(answer.SerializeToString(), JsonRequest("s", False, None))) == {"outputs": 1.0}


def test_a_single_input_of_bytes_needs_no_name() -> None:
    signature = metadata_pb2.SignatureDef()
    signature.inputs["image_bytes"].dtype = pb.DT_STRING

    request = encode(read_request(b'{"instances": [{"b64": "AAE="}]}'), ModelSpec("m", 3), signature)

    message = predict_pb2.PredictRequest.FromString(request)
    assert list(message.inputs["image_bytes"].string_val) == [b"\0\1"]
    assert (message.model_spec.name, message.model_spec.version.value) == ("m", 3)


def test_several_inputs_must_be_named() -> None:
    signature = metadata_pb2.SignatureDef()
    signature.inputs["a"].dtype = signature.inputs["b"].dtype = pb.DT_FLOAT

    with pytest.raises(BadRequest, match="instances must name them: a, b"):
        encode(read_request(b'{"instances": [1]}'), ModelSpec("m"), signature)
    with pytest.raises(BadRequest, match=r"instances\[1\] must have the same names"):
        encode(read_request(b'{"instances": [{"a": 1, "b": 1}, {"a": 1}]}'), ModelSpec("m"), signature)


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": ["\\ud800"]}',
        b'{"inputs": {"\\ud800": [1]}}',
        b'{"instances": [{"\\ud800": 1}]}',
        b'{"signature_name": "\\ud800", "instances": [1]}',
    ],
)
def test_half_a_character_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="half a character"):
        read_request(body)
    assert read_request(b'{"instances": ["\\ud83d\\ude00"]}').value == ["\U0001f600"]
