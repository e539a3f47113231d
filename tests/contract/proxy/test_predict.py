"""A prediction through the one address, on both fronts."""

import asyncio
import gzip

import grpc
import pytest

from modelyard.api.serving.v1 import predict_pb2, status_pb2
from tests.contract.proxy.fakes import PREDICT, STATUS
from tests.contract.proxy.stack import Stack, call, predict_request, refused, route, tokens_in, version_of
from tests.support.eventually import eventually

LIMIT = 64 * 1024 * 1024


@pytest.fixture
def token(stack: Stack) -> str:
    return stack.issuers.token("predictor", "default")


async def test_a_prediction_reaches_the_model_server_byte_for_byte(stack: Stack, token: str) -> None:
    async with stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        # Field 5 is one that our own messages do not know: it travels all the same.
        request = predict_request(values=[0.5, 0.25]) + b"\x2a\x03abc"

        answer = await call(channel, token, request)

        assert server.requests == [request]
        response = predict_pb2.PredictResponse.FromString(answer)
        assert (response.model_spec.version.value, list(response.outputs["image"].float_val)) == (1, [0.5, 0.25])


@pytest.mark.parametrize("method", ["Classify", "Regress", "MultiInference"])
async def test_the_other_methods_of_the_prediction_service_pass_through(stack: Stack, token: str, method: str) -> None:
    spec = b"\x0a\x08\x0a\x06digits"
    request = b"\x0a" + bytes([len(spec)]) + spec if method == "MultiInference" else spec
    async with stack.model_server(3) as server, stack.channel() as channel:
        await stack.route(route(backends=[(3, stack.endpoint("3"), 100)]))

        assert await call(channel, token, request, f"/tensorflow.serving.PredictionService/{method}") == b"digits/3"
        assert server.calls == [f"/tensorflow.serving.PredictionService/{method}"]


async def test_the_model_server_sees_neither_the_token_nor_the_callers_deadline(stack: Stack, token: str) -> None:
    async with stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))

        await call(channel, token, predict_request(), timeout=5)

        assert "authorization" not in server.metadata[-1]
        assert server.metadata[-1]["x-request-id"]
        assert server.time_remaining[-1] is not None
        assert 3 < server.time_remaining[-1] < 5


async def test_a_request_that_names_a_version_goes_to_its_model_server(stack: Stack, token: str) -> None:
    async with stack.model_server(1), stack.model_server(2), stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 0), (2, stack.endpoint("2"), 100)]))

        assert version_of(await call(channel, token, predict_request())) == 2
        assert version_of(await call(channel, token, predict_request(version=1))) == 1
        failure = await refused(channel, token, predict_request(version=9))
        assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "VERSION_NOT_SERVED")
        assert failure.message == "version 9 of digits is not served; served: 2, 1"
        assert list(failure.fields) == ["model_spec.version"]


async def test_an_unknown_label_is_refused(stack: Stack, token: str) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "digits"
    request.model_spec.version_label = "stable"
    async with stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))

        failure = await refused(channel, token, request.SerializeToString())

        assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "VERSION_LABEL_NOT_SERVED")


async def test_a_deployment_without_a_model_server_says_why_and_when_to_ask_again(stack: Stack, token: str) -> None:
    async with stack.channel() as channel:
        await stack.route(route(message="version 4 is being loaded"))

        failure = await refused(channel, token, predict_request())

        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "NOTHING_SERVES")
        assert failure.message == "digits cannot answer now: version 4 is being loaded; try again in a moment"
        assert failure.retry_after_s == 1.0
        assert failure.resource == "projects/default/deployments/digits"


async def test_a_deployment_that_does_not_exist_is_not_found_by_those_who_may_know(stack: Stack, token: str) -> None:
    async with stack.channel() as channel:
        await stack.route(route())
        for who in (token, stack.issuers.token("admin")):
            failure = await refused(channel, who, predict_request("letters"))
            assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "DEPLOYMENT_NOT_FOUND")
            assert failure.resource == "projects/default/deployments/letters"


async def test_a_slow_model_server_ends_with_the_deadline(stack: Stack, token: str) -> None:
    async with stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        server.delay_s = 5

        failure = await refused(channel, token, predict_request(), timeout=0.5)

        assert failure.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(lambda: any(e["code"] == "DEADLINE_EXCEEDED" for e in stack.access_log()))


async def test_a_deadline_that_has_passed_asks_no_model_server(stack: Stack, token: str) -> None:
    async with stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))

        failure = await refused(channel, token, predict_request(), timeout=0.015)

        assert failure.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert server.requests == []


async def test_a_model_servers_own_refusal_comes_back_as_it_is(stack: Stack, token: str) -> None:
    async with stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        details = (("grpc-status-details-bin", b"\x08\x03\x12\x05wrong"),)
        server.refusal = (grpc.StatusCode.INVALID_ARGUMENT, "input tensör 100% wrong", details)

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, token, predict_request())

        assert (caught.value.code(), caught.value.details()) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "input tensör 100% wrong",
        )
        assert ("grpc-status-details-bin", b"\x08\x03\x12\x05wrong") in list(caught.value.trailing_metadata() or ())


async def test_a_model_server_that_is_not_there_is_unavailable_at_once(stack: Stack, token: str) -> None:
    async with stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("nobody"), 100)]))

        failure = await refused(channel, token, predict_request())

        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "MODEL_SERVER_LOST")
        assert failure.retry_after_s == 1.0


async def test_a_dead_model_server_costs_nothing_where_there_is_another(stack: Stack, token: str) -> None:
    async with stack.model_server(1), stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("nobody"), 50), (1, stack.endpoint("1"), 50)]))

        for _ in range(20):
            assert version_of(await call(channel, token, predict_request())) == 1


async def test_status_shows_every_version_that_is_served(stack: Stack, token: str) -> None:
    asked = status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "digits"
    async with stack.model_server(1), stack.model_server(2), stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 0), (2, stack.endpoint("2"), 100)]))

        every = await call(channel, token, asked.SerializeToString(), STATUS)
        asked.model_spec.version.value = 1
        one = await call(channel, token, asked.SerializeToString(), STATUS)

        assert [s.version for s in status_pb2.GetModelStatusResponse.FromString(every).model_version_status] == [2, 1]
        assert [s.version for s in status_pb2.GetModelStatusResponse.FromString(one).model_version_status] == [1]


async def test_reloading_the_configuration_is_refused_with_a_sentence(stack: Stack, token: str) -> None:
    async with stack.channel() as channel:
        reload = await refused(channel, token, b"", "/tensorflow.serving.ModelService/HandleReloadConfigRequest")
        other = await refused(channel, token, b"", "/tensorflow.serving.SessionService/SessionRun")

        assert (reload.code, reload.reason) == (grpc.StatusCode.PERMISSION_DENIED, "MODEL_CONFIG_IS_MANAGED")
        assert "deployments" in reload.message
        assert other.code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (b"\xff\xff", "not a message"),
        (b"", "model_spec.name must be a deployment's name"),
        (b"\x0a\x04\x0a\x02\xff\xfe", "not UTF-8"),
        (predict_request("../etc"), "model_spec.name must be"),
        (predict_request("a" * 10_000), "model_spec.name must be"),
        (predict_request("dig\u202eits"), "model_spec.name must be"),
    ],
)
async def test_bytes_that_mean_nothing_are_invalid(stack: Stack, token: str, request_: bytes, message: str) -> None:
    async with stack.channel() as channel:
        failure = await refused(channel, token, request_)

        assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
        assert message in failure.message


async def test_a_request_at_the_limit_passes_and_one_byte_more_does_not(stack: Stack, token: str) -> None:
    head = predict_request()
    # An unknown field of this length makes the message as long as is wanted: 1 byte of tag, 4 of length.
    filler = LIMIT - len(head) - 5
    varint = bytes([filler & 0x7F | 0x80, filler >> 7 & 0x7F | 0x80, filler >> 14 & 0x7F | 0x80, filler >> 21])
    request = head + b"\x7a" + varint + bytes(filler)
    assert len(request) == LIMIT
    async with stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))

        await call(channel, token, request, timeout=50)
        failure = await refused(channel, token, request + b"\0", timeout=50)

        assert [len(seen) for seen in server.requests] == [LIMIT]
        assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")


async def test_a_compressed_request_is_read_and_passed_on(stack: Stack, token: str) -> None:
    async with stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        request = predict_request(values=[1.0] * 1000)
        assert len(gzip.compress(request)) < len(request)

        await call(channel, token, request, compression=grpc.Compression.Gzip)

        assert server.requests == [request]


async def test_every_prediction_leaves_one_line_and_is_counted(stack: Stack, token: str) -> None:
    async with stack.model_server(5), stack.channel() as channel:
        await stack.route(route(backends=[(5, stack.endpoint("5"), 100)]))
        request = predict_request()

        await call(channel, token, request)

        await eventually(lambda: [e for e in stack.access_log() if e["version"] == 5])
        (event,) = [e for e in stack.access_log() if e["version"] == 5]
        assert (event["event"], event["deployment"]) == ("prediction", "projects/default/deployments/digits")
        assert (event["method"], event["code"], event["subject"]) == ("Predict", "OK", "tokens/test")
        assert event["bytes_in"] >= len(request)
        assert event["request_id"]
        assert event["peer"].startswith("127.0.0.1")
        assert 'modelyard_predictions_total{code="OK",deployment="projects/default/deployments/digits"' in (
            await stack.metrics()
        )
        assert tokens_in(stack.lines) == []


async def test_requests_of_many_callers_are_not_mixed_up(stack: Stack, token: str) -> None:
    async with stack.model_server(1), stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))

        async def ask(number: int) -> float:
            answer = await call(channel, token, predict_request(values=[float(number)]))
            return predict_pb2.PredictResponse.FromString(answer).outputs["image"].float_val[0]

        assert await asyncio.gather(*(ask(n) for n in range(300))) == [float(n) for n in range(300)]


async def test_while_inference_is_away_the_last_routes_stay(stack: Stack, token: str) -> None:
    async with stack.model_server(1), stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        await stack.on_loop(stack.inference.stop())

        assert version_of(await call(channel, token, predict_request())) == 1

        await stack.on_loop(stack.inference.start(f"unix:{stack.folder}/inference.sock"))
        await stack.route(route(message="gone"))
        assert (await refused(channel, token, predict_request())).code is grpc.StatusCode.UNAVAILABLE


def test_the_path_of_predict_is_tensorflow_servings() -> None:
    assert PREDICT == "/tensorflow.serving.PredictionService/Predict"
