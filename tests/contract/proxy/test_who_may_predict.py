"""Who may ask a deployment, and what the others learn, on both fronts."""

import grpc
import pytest

from modelyard.api.serving.v1 import metadata_pb2
from tests.contract.proxy.fakes import METADATA
from tests.contract.proxy.stack import Stack, call, predict_request, refused, route
from tests.support.eventually import eventually


async def test_who_may_not_predict_learns_nothing_about_what_exists(stack: Stack) -> None:
    stranger = stack.issuers.token("editor", "elsewhere")
    async with stack.channel() as channel:
        await stack.route(route("secret.digits", project="secret"))

        there = await refused(channel, stranger, predict_request("secret.digits"))
        absent = await refused(channel, stranger, predict_request("secret.absent"))

        assert there.code is grpc.StatusCode.PERMISSION_DENIED
        assert there.message.replace("digits", "absent") == absent.message
        assert (there.reason, there.facts, there.resource) == (absent.reason, absent.facts, absent.resource)


async def test_a_viewer_may_look_and_not_predict(stack: Stack) -> None:
    viewer = stack.issuers.token("viewer", "default")
    async with stack.model_server(1), stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        asked = metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        asked.model_spec.name = "digits"

        answer = await call(channel, viewer, asked.SerializeToString(), METADATA)

        assert "signature_def" in metadata_pb2.GetModelMetadataResponse.FromString(answer).metadata
        assert (await refused(channel, viewer, predict_request())).code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("bad", "reason"),
    [("", "TOKEN_MISSING"), ("nonsense", "TOKEN_INVALID"), ("expired", "TOKEN_EXPIRED"), ("forged", "TOKEN_INVALID")],
)
async def test_no_token_or_a_bad_one_is_refused_before_the_model_server(stack: Stack, bad: str, reason: str) -> None:
    tokens = {
        "expired": stack.issuers.token("predictor", "default", ttl_s=-120),
        "forged": type(stack.issuers)().token("admin"),
    }
    async with stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))

        failure = await refused(channel, tokens.get(bad, bad), predict_request())

        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason)
        assert server.calls == []


async def test_a_revoked_token_is_refused_within_seconds(stack: Stack) -> None:
    token = stack.issuers.token("predictor", "default", token_id="stolen")
    async with stack.model_server(1), stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        await call(channel, token, predict_request())

        stack.catalog.revoked.append("stolen")

        async def is_refused() -> bool:
            try:
                await call(channel, token, predict_request())
            except grpc.aio.AioRpcError as error:
                return error.code() is grpc.StatusCode.UNAUTHENTICATED
            return False

        await eventually(is_refused, timeout_s=5)
