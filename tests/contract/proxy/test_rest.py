"""TensorFlow Serving's REST API through the one address, on both fronts."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from modelyard.api.serving.v1 import predict_pb2
from tests.contract.proxy.stack import Stack, route
from tests.support.eventually import eventually


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


async def http(
    stack: Stack,
    verb: str,
    path: str,
    body: bytes = b"",
    token: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One HTTP/1.1 request on a connection of its own."""
    host, _, port = stack.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"{verb} {path} HTTP/1.1", "Host: test", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    first, *others = head.decode().split("\r\n")
    found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in others)}
    return Answer(int(first.split()[1]), found, json.loads(rest) if rest else None)


@pytest.fixture
def token(stack: Stack) -> str:
    return stack.issuers.token("predictor", "default")


async def predict(stack: Stack, token: str, document: object, where: str = "digits") -> Answer:
    return await http(stack, "POST", f"/v1/models/{where}:predict", json.dumps(document).encode(), token)


async def test_rows_in_rows_out(stack: Stack, token: str) -> None:
    async with stack.model_server(1) as server:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))

        answer = await predict(stack, token, {"instances": [[0.1, 2], [3, 4.5]]})

        assert (answer.status, answer.body) == (200, {"predictions": [[0.100000001, 2.0], [3.0, 4.5]]})
        request = predict_pb2.PredictRequest.FromString(server.requests[0])
        assert (request.model_spec.name, request.model_spec.signature_name) == ("digits", "serving_default")
        assert [dim.size for dim in request.inputs["image"].tensor_shape.dim] == [2, 2]


async def test_columns_in_columns_out(stack: Stack, token: str) -> None:
    async with stack.model_server(1):
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))

        one = await predict(stack, token, {"inputs": {"image": [1.0, 2.0]}})
        both = await predict(
            stack, token, {"signature_name": "both", "inputs": {"count": [1, 2], "text": ["a", {"b64": "/w=="}]}}
        )

        assert one.body == {"outputs": [1.0, 2.0]}
        assert both.body == {"outputs": {"count": [1, 2], "text": ["a", {"b64": "/w=="}]}}


async def test_named_rows(stack: Stack, token: str) -> None:
    async with stack.model_server(1):
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        text = base64.b64encode("ü".encode()).decode()

        answer = await predict(
            stack,
            token,
            {"signature_name": "both", "instances": [{"count": 7, "text": "a"}, {"count": 8, "text": {"b64": text}}]},
        )

        assert answer.body == {"predictions": [{"count": 7, "text": "a"}, {"count": 8, "text": "ü"}]}


async def test_a_version_in_the_path_is_the_one_that_answers(stack: Stack, token: str) -> None:
    async with stack.model_server(1) as first, stack.model_server(2) as second:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 0), (2, stack.endpoint("2"), 100)]))

        await predict(stack, token, {"instances": [1.0]}, "digits/versions/1")
        missing = await predict(stack, token, {"instances": [1.0]}, "digits/versions/7")

        assert (len(first.requests), len(second.requests)) == (1, 0)
        assert missing.status == 404
        assert missing.body == {"error": "version 7 of digits is not served; served: 2, 1"}


async def test_status_and_metadata(stack: Stack, token: str) -> None:
    async with stack.model_server(2):
        await stack.route(route(backends=[(2, stack.endpoint("2"), 100)]))

        status = await http(stack, "GET", "/v1/models/digits", token=token)
        metadata = await http(stack, "GET", "/v1/models/digits/versions/2/metadata", token=token)

        ok = {"error_code": "OK", "error_message": ""}
        assert status.body == {"model_version_status": [{"version": "2", "state": "AVAILABLE", "status": ok}]}
        assert metadata.body["model_spec"] == {"name": "digits", "signature_name": "", "version": "2"}
        image = metadata.body["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["image"]
        assert image["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize(
    ("document", "status", "sentence"),
    [
        ([], 400, "the body must be an object"),
        ({}, 400, 'either "instances" (rows) or "inputs" (columns)'),
        ({"instances": []}, 400, "at least one example"),
        ({"instances": [[1.0], [1.0, 2.0]]}, 400, "differ in length"),
        ({"instances": ["a"]}, 400, "instances must be DT_FLOAT; found text"),
        ({"inputs": {"picture": [1]}}, 400, "no input 'picture'; its inputs: image"),
        ({"signature_name": "none", "inputs": [1]}, 400, "no signature 'none'; there are: both, serving_default"),
        ({"signature_name": "both", "instances": [{"count": 1.5, "text": "a"}]}, 400, "DT_INT64; found a fraction"),
        ({"instances": [1], "extra": 1}, 400, "unknown key 'extra'"),
    ],
)
async def test_a_request_that_does_not_fit_says_what_is_wrong(
    stack: Stack, token: str, document: object, status: int, sentence: str
) -> None:
    async with stack.model_server(1) as server:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))

        answer = await predict(stack, token, document)

        assert answer.status == status
        assert sentence in answer.body["error"]
        assert server.requests == []


async def test_the_codes_of_http_follow_those_of_grpc(stack: Stack, token: str) -> None:
    async with stack.model_server(1):
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]), route("empty", message="it is being loaded"))
        row = {"instances": [1.0]}
        anonymous = await predict(stack, "", row)
        stranger = await predict(stack, stack.issuers.token("admin", "elsewhere"), row)
        unknown = await predict(stack, token, row, "letters")
        nobody = await predict(stack, token, row, "empty")
        garbage = await http(stack, "POST", "/v1/models/digits:predict", b"{", token)
        verb = await http(stack, "POST", "/v1/models/digits:classify", b"{}", token)
        path = await http(stack, "GET", "/v1/models/digits/versions/x", token=token)
        get = await http(stack, "GET", "/v1/models/digits:predict", token=token)

    codes = [answer.status for answer in (anonymous, stranger, unknown, nobody, garbage, verb, path, get)]
    assert codes == [401, 403, 404, 503, 400, 501, 400, 400]
    assert anonymous.headers["www-authenticate"].startswith("Bearer")
    assert nobody.headers["retry-after"] == "1"
    assert all(isinstance(answer.body["error"], str) for answer in (anonymous, stranger, unknown, nobody, garbage))


async def test_json_longer_than_the_limit_is_refused(stack: Stack, token: str) -> None:
    await stack.route(route())

    answer = await http(stack, "POST", "/v1/models/digits:predict", b" " * (16 * 1024 * 1024 + 1), token)

    assert answer.status == 429
    assert "longer than" in answer.body["error"]


async def test_rest_leaves_a_line_too(stack: Stack, token: str) -> None:
    async with stack.model_server(77):
        await stack.route(route(backends=[(77, stack.endpoint("77"), 100)]))

        await predict(stack, token, {"instances": [1.0]})

        await eventually(lambda: any(e["version"] == 77 and e["bytes_in"] for e in stack.access_log()))
        assert all(e["peer"].startswith("127.0.0.1:") for e in stack.access_log() if e["version"] == 77)
