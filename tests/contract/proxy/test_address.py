"""One address for everything: which path goes where, and what the address says by itself. On both fronts."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from tests.contract.proxy.stack import Stack, call, predict_request, refused, route
from tests.contract.proxy.test_rest import http


@pytest.mark.parametrize(
    ("method", "service"),
    [
        ("/modelyard.api.catalog.v1.DatasetService/GetDataset", b"catalog"),
        ("/modelyard.api.scheduler.v1.JobService/GetJob", b"scheduler"),
        ("/modelyard.api.inference.v1.DeploymentService/GetDeployment", b"inference"),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b"inference"),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", b"inference"),
        ("/grpc.health.v1.Health/Check", b"inference"),
    ],
)
async def test_each_services_calls_reach_it(stack: Stack, method: str, service: bytes) -> None:
    async with stack.channel() as channel:
        assert await call(channel, "any", b"", method) == service


async def test_the_token_reaches_the_service(stack: Stack) -> None:
    async with stack.channel() as channel:
        await call(channel, "any", b"", "/modelyard.api.scheduler.v1.JobService/ListJobs")

        assert stack.scheduler.metadata[-1]["authorization"] == "Bearer any"


async def test_the_catalog_hears_under_which_name_it_was_called(stack: Stack) -> None:
    async with stack.channel() as channel:
        await call(channel, "any", b"", "/modelyard.api.catalog.v1.FileService/SignReads")

        assert stack.catalog.metadata[-1]["x-forwarded-host"] == stack.address
        assert stack.catalog.metadata[-1]["x-forwarded-proto"] == "http"


async def test_a_service_that_is_away_is_named(stack: Stack) -> None:
    await stack.on_loop(stack.scheduler.stop())
    async with stack.channel() as channel:
        failure = await refused(channel, "any", b"", "/modelyard.api.scheduler.v1.JobService/GetJob")

    assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICE_UNREACHABLE")
    assert failure.message == "the scheduler service cannot be reached; try again in a moment"
    assert failure.retry_after_s == 1.0
    await stack.on_loop(stack.scheduler.start(f"unix:{stack.folder}/scheduler.sock"))


async def test_a_path_without_anything_is_unimplemented(stack: Stack) -> None:
    async with stack.channel() as channel:
        failure = await refused(channel, "any", b"", "/some.other.Service/Method")
    over_http = await http(stack, "GET", "/index.html")

    assert (failure.code, failure.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NO_SUCH_METHOD")
    assert (over_http.status, over_http.body) == (404, {"error": failure.message})


async def test_metadata_that_is_too_long_is_refused_in_our_words(stack: Stack) -> None:
    async with stack.channel() as channel:
        token = await refused(channel, "x" * 20_000, predict_request())
    over_http = await http(stack, "GET", "/v1/models/digits", token="x" * 80_000)

    assert (token.code, token.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    assert over_http.status == 431
    assert "metadata is longer" in over_http.body["error"]


async def test_grpc_web_reaches_services_and_predictions(stack: Stack) -> None:
    token = stack.issuers.token("predictor", "default")
    async with stack.model_server(1):
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        request = predict_request()

        control = await web(stack, "/modelyard.api.catalog.v1.DatasetService/GetDataset", b"")
        prediction = await web(stack, "/tensorflow.serving.PredictionService/Predict", request, token)
        refusal = await web(stack, "/tensorflow.serving.PredictionService/Predict", request)

    assert b"catalog" in control
    assert b"grpc-status:0" in control.replace(b" ", b"")
    assert b"grpc-status:0" in prediction.replace(b" ", b"")
    assert b"grpc-status: 16" in refusal


async def test_health_is_answered_without_a_token(stack: Stack) -> None:
    async with raw(stack) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"ok\n")


@asynccontextmanager
async def raw(stack: Stack) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = stack.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    yield reader, writer
    writer.close()


async def web(stack: Stack, path: str, message: bytes, token: str = "") -> bytes:
    """A gRPC-Web call in its text form; the answer, headers and decoded body."""
    framed = b"\0" + len(message).to_bytes(4, "big") + message
    body = base64.b64encode(framed)
    async with raw(stack) as (reader, writer):
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/grpc-web-text\r\n"
            f"Accept: application/grpc-web-text\r\nX-Grpc-Web: 1\r\nContent-Length: {len(body)}\r\n"
        )
        writer.write((head + (f"Authorization: Bearer {token}\r\n" if token else "") + "\r\n").encode() + body)
        answer = await reader.read()
    head_bytes, _, rest = answer.partition(b"\r\n\r\n")
    chunks = [line for line in rest.split(b"\r\n") if line and not _is_size(line)]
    return head_bytes + b"".join(base64.b64decode(chunk) for chunk in chunks)


def _is_size(line: bytes) -> bool:
    """Whether this is the length of a chunk rather than its content."""
    return len(line) <= 4 and all(character in b"0123456789abcdef" for character in line)
