"""TensorFlow Serving's REST API on both fronts."""

import base64
import json
import math
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.contract.modelserver.conftest import Start, make_version
from tests.support.model_server import Running


@pytest.fixture(scope="module")
def server(started: Start, front: str, tmp_path_factory: pytest.TempPathFactory) -> Running:
    base = tmp_path_factory.mktemp("models")
    make_version(base, 3, bias=0.5)
    return started(f"--model_base_path={base}", "--model_name=digits", "--enable_batching", front=front)


def ask(server: Running, path: str, body: object = None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.rest_port}{path}", data=data)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


IMAGE = [[[1], [2]], [[3], [4]]]


def test_rows_go_in_and_come_out(server: Running) -> None:
    for row in (IMAGE, {"image": IMAGE}):
        assert ask(server, "/v1/models/digits:predict", {"instances": [row, row]}) == (
            200,
            {"predictions": [[10.5, 4, 1], [10.5, 4, 1]]},
        )


def test_columns_go_in_and_come_out(server: Running) -> None:
    for inputs in ([IMAGE], {"image": [IMAGE]}):
        assert ask(server, "/v1/models/digits/versions/3:predict", {"inputs": inputs}) == (
            200,
            {"outputs": [[10.5, 4, 1]]},
        )


def test_several_inputs_and_outputs_are_named(server: Running) -> None:
    rows = {"signature_name": "two", "instances": [{"a": 2, "b": 3}, {"a": 4.5, "b": 2}]}
    assert ask(server, "/v1/models/digits:predict", rows)[1] == {
        "predictions": [{"sum": 5, "product": 6}, {"sum": 6.5, "product": 9}]
    }
    columns = {"signature_name": "two", "inputs": {"a": [2], "b": [3]}}
    assert ask(server, "/v1/models/digits:predict", columns)[1] == {"outputs": {"sum": [5], "product": [6]}}


def test_bytes_travel_as_base64_and_text_as_text(server: Running) -> None:
    rows = {"signature_name": "encoded", "instances": [{"b64": base64.b64encode(b"xyz").decode()}, "ä"]}
    assert ask(server, "/v1/models/digits:predict", rows)[1] == {
        "predictions": [{"label": "<xyz>", "size": 3}, {"label": "<ä>", "size": 2}]
    }


@pytest.mark.parametrize("text", ["eHl6MQ", "eHl6\r\nMQ==\n"])
def test_base64_may_have_white_space_and_lack_its_padding(server: Running, text: str) -> None:
    rows = {"signature_name": "encoded", "instances": [{"b64": text}]}
    assert ask(server, "/v1/models/digits:predict", rows)[1] == {"predictions": [{"label": "<xyz1>", "size": 4}]}


def test_numbers_that_are_none_survive(server: Running) -> None:
    body = b'{"signature_name": "two", "inputs": {"a": [NaN, Infinity], "b": [1, 1]}}'
    answer = ask(server, "/v1/models/digits:predict", body)[1]["outputs"]["sum"]
    assert math.isnan(answer[0])
    assert answer[1] == math.inf


def test_a_scalar_answer_has_no_rows(server: Running) -> None:
    assert ask(server, "/v1/models/digits:predict", {"signature_name": "scalar", "inputs": 4}) == (200, {"outputs": 8})


def test_status_and_metadata_are_tensorflow_servings(server: Running) -> None:
    assert ask(server, "/v1/models/digits") == (
        200,
        {
            "model_version_status": [
                {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            ]
        },
    )
    code, metadata = ask(server, "/v1/models/digits/versions/3/metadata")
    assert (code, metadata["model_spec"]) == (200, {"name": "digits", "signature_name": "", "version": "3"})
    inputs = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
    assert inputs["image"]["dtype"] == "DT_UINT8"


@pytest.mark.parametrize(
    ("path", "body", "code", "text"),
    [
        ("/v1/models/nope", None, 404, "Could not find any versions of model nope"),
        ("/v1/models/digits/versions/9", None, 404, "Could not find version 9 of model digits"),
        ("/v1/models/nope:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(nope)"),
        ("/nowhere", None, 404, "Malformed request: GET /nowhere"),
        ("/v1/models/digits:predict", None, 404, "Malformed request: GET /v1/models/digits:predict"),
        ("/v1/models/digits:predict", b"{", 400, "JSON Parse error"),
        ("/v1/models/digits:predict", b"[]", 400, "either 'instances' or 'inputs'"),
        ("/v1/models/digits:predict", {"instances": [], "inputs": []}, 400, "either 'instances' or 'inputs'"),
        ("/v1/models/digits:predict", {"instances": []}, 400, "at least one element"),
        ("/v1/models/digits:predict", {"instances": [[[1, 2], [3]]]}, 400, "not a rectangular tensor"),
        ("/v1/models/digits:predict", {"instances": ["x"]}, 400, "not of the type DT_UINT8"),
        ("/v1/models/digits:predict", {"instances": [[[[1], [2]], [[3], [256]]]]}, 400, "DT_UINT8 holds 0 to 255"),
        ("/v1/models/digits:predict", {"instances": [[[[1], [2]], [[3], [0.5]]]]}, 400, "not of the type DT_UINT8"),
        ("/v1/models/digits:predict", {"instances": [{"x": 1}]}, 400, 'input "x" is not in the signature'),
        ("/v1/models/digits:predict", {"instances": [{"x": 1}, {"y": 1}]}, 400, "the same keys"),
        ("/v1/models/digits:predict", {"signature_name": "nope", "instances": [1]}, 412, 'key "nope" not found'),
        ("/v1/models/digits:predict", {"signature_name": "two", "instances": [1]}, 400, "name each one"),
        ("/v1/models/digits:predict", {"signature_name": "encoded", "instances": [1]}, 400, "takes strings"),
        ("/v1/models/digits:predict", {"signature_name": "encoded", "instances": [{"b64": "*"}]}, 400, "not base64"),
        ("/v1/models/digits:predict", {"signature_name": "encoded", "instances": [{"b64": "_w=="}]}, 400, "not base64"),
        (
            "/v1/models/digits:predict",
            {"signature_name": "two", "inputs": {"a": [1e39], "b": [1]}},
            400,
            'input "a" has a number that does not fit DT_FLOAT',
        ),
        ("/v1/models/digits:predict", {"signature_name": "encoded", "instances": ["bad"]}, 400, "Unknown image file"),
        ("/v1/models/digits:classify", {"examples": []}, 501, "only :predict is offered"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(server: Running, path: str, body: object, code: int, text: str) -> None:
    found, answer = ask(server, path, body)
    assert (found, list(answer)) == (code, ["error"])
    assert text in answer["error"]
